//go:build tools

// Package tools names the provisioner of volumes, the one that K3s ships, so that go.sum covers it.
package tools

import _ "github.com/rancher/local-path-provisioner"
