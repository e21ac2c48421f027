// CoreDNS with the plugins that a cluster needs; the stock set would compile three clouds' libraries too.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
)

// In the order in which CoreDNS asks its plugins (its own plugin.cfg).
var directives = []string{"bind", "ready", "errors", "cache", "kubernetes", "forward", "startup", "shutdown"}

func main() {
	dnsserver.Directives = directives
	coremain.Run()
}
