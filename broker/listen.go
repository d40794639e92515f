package broker

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"syscall"

	"blumfeld/broker/config"
	"blumfeld/controller"
)

// openListener is one configured listener and the sockets that serve it.
type openListener struct {
	config.Listener
	Port    int32 // the real one, where port 0 was configured
	sockets []net.Listener
}

// bind listens on every address that the listener's host has: localhost is
// 127.0.0.1 and ::1, and a client that tries either must find us. No host is
// every address of the machine. An address that this machine does not have (no
// IPv6, say) is passed over as long as one is left; one that is taken is not.
func bind(l config.Listener) (*openListener, error) {
	b := &openListener{Listener: l, Port: l.Port}
	hosts := []string{""}
	if l.Host != "" && l.Host != "0.0.0.0" && l.Host != "::" {
		var err error
		if hosts, err = net.LookupHost(l.Host); err != nil {
			return nil, fmt.Errorf("listener %s: %w", l.Name, err)
		}
	}
	var absent error
	for i, host := range hosts {
		if slices.Contains(hosts[:i], host) {
			continue // named twice in the hosts file
		}
		s, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(int(b.Port))))
		switch {
		case errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT):
			absent = err
			continue
		case errors.Is(err, syscall.EADDRINUSE):
			b.close()
			return nil, fmt.Errorf("listener %s: %s is taken by another process (set another port with --listeners)",
				l.Name, net.JoinHostPort(l.Host, strconv.Itoa(int(b.Port))))
		case err != nil:
			b.close()
			return nil, fmt.Errorf("listener %s: %w", l.Name, err)
		}
		b.sockets = append(b.sockets, s)
		b.Port = int32(s.Addr().(*net.TCPAddr).Port)
	}
	if len(b.sockets) == 0 {
		return nil, fmt.Errorf("listener %s: %w", l.Name, absent)
	}
	return b, nil
}

func (b *openListener) close() {
	for _, s := range b.sockets {
		s.Close()
	}
}

// advertised is what clients are told, by listener. An advertised listener
// without a host is left so: its clients are told the address that they reached
// us by (see api.Request.LocalHost).
func (b *broker) advertised(configured []config.Listener) (endpoints []controller.Endpoint) {
	for _, l := range configured {
		e := controller.Endpoint{Listener: l.Name, Protocol: l.Protocol, Host: l.Host, Port: l.Port}
		if e.Host == "0.0.0.0" || e.Host == "::" {
			e.Host = ""
		}
		for _, open := range b.listeners {
			if e.Port == 0 && open.Name == l.Name {
				e.Port = open.Port
			}
		}
		endpoints = append(endpoints, e)
	}
	return endpoints
}
