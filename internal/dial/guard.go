package dial

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"
)

// metadata are the addresses at which clouds tell a machine its own keys, where
// they are not link-local.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle
}

// nat64 is how an IPv4 address is written where there is only IPv6.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// forbidden says why a connection to a is refused; "" if it is not. Home says
// that the destination was declared as this machine, and then it must be it.
func forbidden(a netip.Addr, home bool) string {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case home && !a.IsLoopback():
		return "was declared as this machine and is not it"
	case home:
		return ""
	case a.IsLoopback() || a.IsUnspecified():
		return "is this machine"
	case a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() || a.IsInterfaceLocalMulticast():
		return "is a link-local address, where clouds keep keys"
	case a.IsMulticast():
		return "is a multicast address"
	}
	for _, m := range metadata {
		if a == m {
			return "is the metadata service of a cloud"
		}
	}
	return ""
}

// guard looks at the address that a name turned out to be, after it was looked
// up and before a packet is sent: a name may be made to lead anywhere.
func guard(home bool) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, network, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return &Refused{Why: fmt.Sprintf("its address %q cannot be read", address)}
		}
		if why := forbidden(ap.Addr(), home); why != "" {
			return &Refused{Why: fmt.Sprintf("its name leads to %s, which %s", ap.Addr(), why)}
		}
		return nil
	}
}
