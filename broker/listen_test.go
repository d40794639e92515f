package broker

import (
	"net"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/config"
)

// TestEveryInterfaceTellsTheAddressReached starts brokers that listen everywhere
// and advertise nothing: a client is told the address that it came by.
func TestEveryInterfaceTellsTheAddressReached(t *testing.T) {
	for _, listeners := range []string{"PLAINTEXT://0.0.0.0:0", "PLAINTEXT://:0", "PLAINTEXT://[::]:0"} {
		t.Run(listeners, func(t *testing.T) {
			r := start(t, config.Properties{"listeners": listeners})
			_, port, err := net.SplitHostPort(r.addr)
			if err != nil {
				t.Fatal(err)
			}
			for _, host := range []string{"127.0.0.1", "127.0.0.2", "::1"} {
				nc, err := net.Dial("tcp", net.JoinHostPort(host, port))
				if err != nil {
					t.Logf("this machine has no %s: %v", host, err)
					continue
				}
				nc.Close()
				r.addr = net.JoinHostPort(host, port)
				brokers := ask[*kmsg.MetadataResponse](r.dial(), metadataOf()).Brokers
				if len(brokers) != 1 || brokers[0].Host != host || strconv.Itoa(int(brokers[0].Port)) != port {
					t.Errorf("a client of %s is told %+v", r.addr, brokers)
				}
			}
		})
	}
}
