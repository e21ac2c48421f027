//go:build tools

// Package tools names the command that stands in for hundreds of nodes, so that go.sum covers it.
package tools

import _ "sigs.k8s.io/kwok/cmd/kwok"
