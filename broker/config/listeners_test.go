package config

import (
	"fmt"
	"strings"
	"testing"
)

// TestListeners: what is refused is refused with the words of Apache Kafka 4.3.1.
// want is what is bound, advertised, for controllers, and the inter-broker
// listener; or an error's text after "!".
func TestListeners(t *testing.T) {
	const error = "!Error creating broker listeners from "
	for _, tc := range []struct{ properties, want string }{
		{"", "PLAINTEXT://localhost:9092 | PLAINTEXT://localhost:9092 |  | PLAINTEXT"},
		{"listeners=PLAINTEXT://:9092,CONTROLLER://:9093", "PLAINTEXT://:9092 | PLAINTEXT://:9092 | CONTROLLER://:9093 | PLAINTEXT"},
		{"listeners=PLAINTEXT://[::1]:9092", "PLAINTEXT://[::1]:9092 | PLAINTEXT://[::1]:9092 |  | PLAINTEXT"},
		{"listeners=plaintext://h:9092", "PLAINTEXT://h:9092 | PLAINTEXT://h:9092 |  | PLAINTEXT"},
		{"listeners=PLAINTEXT://localhost:0", "PLAINTEXT://localhost:0 | PLAINTEXT://localhost:0 |  | PLAINTEXT"},
		{"listeners=PLAINTEXT://host_name:1", "PLAINTEXT://host_name:1 | PLAINTEXT://host_name:1 |  | PLAINTEXT"},
		{"listeners=PLAINTEXT://0.0.0.0:9092;advertised.listeners=PLAINTEXT://h:1", "PLAINTEXT://0.0.0.0:9092 | PLAINTEXT://h:1 |  | PLAINTEXT"},
		{"listeners=A://:1,B://:2;listener.security.protocol.map=A:PLAINTEXT, B : plaintext;inter.broker.listener.name=b",
			"A://:1 B://:2 | A://:1 B://:2 |  | B"},
		{"listeners=A://:1,B://:2;listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT;inter.broker.listener.name=B;advertised.listeners=B://h:5",
			"A://:1 B://:2 | B://h:5 |  | B"},
		{"listeners=A://:1,B://:2;listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT;inter.broker.listener.name=A;advertised.listeners=A://h:5,B://h:5",
			"A://:1 B://:2 | A://h:5 B://h:5 |  | A"},
		{"listeners=A://127.0.0.1:1,B://[::1]:1;listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT;inter.broker.listener.name=A",
			"A://127.0.0.1:1 B://[::1]:1 | A://127.0.0.1:1 B://[::1]:1 |  | A"},

		{"listeners=localhost:9092", error + "'[localhost:9092]': Unable to parse localhost:9092 to a broker endpoint"},
		{"listeners=PLAINTEXT://localhost", error + "'[PLAINTEXT://localhost]': Unable to parse PLAINTEXT://localhost to a broker endpoint"},
		{"listeners=PLAINTEXT://localhost:", error + "'[PLAINTEXT://localhost:]': Unable to parse PLAINTEXT://localhost: to a broker endpoint"},
		{"listeners=PLAINTEXT://localhost:abc", error + "'[PLAINTEXT://localhost:abc]': Unable to parse PLAINTEXT://localhost:abc to a broker endpoint"},
		{"listeners=PLAINTEXT://a b:1", error + "'[PLAINTEXT://a b:1]': Unable to parse PLAINTEXT://a b:1 to a broker endpoint"},
		{"listeners=PLAINTEXT://[::1:1", error + "'[PLAINTEXT://[::1:1]': Unable to parse PLAINTEXT://[::1:1 to a broker endpoint"},
		{"listeners=FOO://localhost:9092", error + "'[FOO://localhost:9092]': No security protocol defined for listener FOO"},
		{"listeners=PLAINTEXT://a:1,PLAINTEXT://b:2", error + "'[PLAINTEXT://a:1, PLAINTEXT://b:2]': Each listener must have a different name, listeners: [PLAINTEXT://a:1, PLAINTEXT://b:2]"},
		{"listeners=PLAINTEXT://a:1,CONTROLLER://b:1", error + "'[PLAINTEXT://a:1, CONTROLLER://b:1]': Each listener must have a different port, listeners: [PLAINTEXT://a:1, CONTROLLER://b:1]"},
		{"listeners=PLAINTEXT://1.1.1.1:1,CONTROLLER://1.1.1.2:1", error + "'[PLAINTEXT://1.1.1.1:1, CONTROLLER://1.1.1.2:1]': If you have two listeners on the same port then one needs to be IPv4 and the other IPv6, listeners: [PLAINTEXT://1.1.1.1:1, CONTROLLER://1.1.1.2:1], port: 1"},
		{"listeners=SSL://:1,CONTROLLER://:2", error + "'[SSL://:1, CONTROLLER://:2]': No security protocol defined for listener CONTROLLER"},
		{"listeners=CONTROLLER://:9093", "!There must be at least one broker advertised listener. Perhaps all listeners appear in controller.listener.names?"},
		{"listeners=", "!Configuration 'listeners' must not be empty. Valid values include: any non-empty value"},
		{"listeners=PLAINTEXT://:1;advertised.listeners=PLAINTEXT://0.0.0.0:1", "!advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address."},
		{"listeners=PLAINTEXT://:1,CONTROLLER://0.0.0.0:2", "!advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address."},
		{"listeners=PLAINTEXT://:1;advertised.listeners=SSL://h:1", "!inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid options based on currently configured listeners are SSL"},
		{"listeners=PLAINTEXT://:1;advertised.listeners=PLAINTEXT://h:1,SSL://h:2", "!advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. Found PLAINTEXT,SSL. The valid options based on the current configuration are PLAINTEXT"},
		{"listeners=PLAINTEXT://:1;advertised.listeners=PLAINTEXT://h", error + "'[PLAINTEXT://h]': Unable to parse PLAINTEXT://h to a broker endpoint"},
		{"listeners=A://:1;listener.security.protocol.map=A:PLAINTEXT", "!inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid options based on currently configured listeners are A"},
		{"listeners=A://:1,CONTROLLER://:2;listener.security.protocol.map=A:PLAINTEXT;inter.broker.listener.name=A", error + "'[A://:1, CONTROLLER://:2]': No security protocol defined for listener CONTROLLER"},
		{"listeners=A://:1;listener.security.protocol.map=A:PLAINTEXT;inter.broker.listener.name=B", "!Listener with name B defined in inter.broker.listener.name not found in listener.security.protocol.map."},
		{"listeners=A://:1;listener.security.protocol.map=A:FOO", "!Invalid security protocol `FOO` defined in listener.security.protocol.map"},
		{"listeners=A://:1;listener.security.protocol.map=A", "!Error parsing configuration property 'listener.security.protocol.map': begin 0, end -1, length 1"},
		{"listeners=A://:1;listener.security.protocol.map=:PLAINTEXT", "!The provided listener name is null or empty string"},
		{"inter.broker.listener.name=PLAINTEXT;security.inter.broker.protocol=PLAINTEXT", "!Only one of inter.broker.listener.name and security.inter.broker.protocol should be set."},
		{"early.start.listeners=NOPE", "!early.start.listeners contains listener NOPE, but this is not contained in listeners or controller.listener.names"},

		// Ours alone.
		{"listeners=PLAINTEXT://0.0.0.0:9092", "PLAINTEXT://0.0.0.0:9092 | PLAINTEXT://:9092 |  | PLAINTEXT"},
		{"listeners=PLAINTEXT://[::]:9092", "PLAINTEXT://[::]:9092 | PLAINTEXT://:9092 |  | PLAINTEXT"},
		{"listeners=PLAINTEXT://:1,SSL://:2", "!listener SSL speaks SSL, and only PLAINTEXT is supported yet"},
		{"listeners=PLAINTEXT://localhost:99999", "!listener PLAINTEXT: there is no port 99999"},
		{"listeners=PLAINTEXT://localhost:-1", "!listener PLAINTEXT: there is no port -1"},
	} {
		v, _, err := Parse(settings(tc.properties))
		var got string
		if err != nil {
			got = "!" + err.Error()
		} else {
			ls, err := v.Listeners()
			if err != nil {
				t.Errorf("%s: Parse accepts what Listeners refuses: %v", tc.properties, err)
			}
			join := func(ls []Listener) string { return strings.Trim(fmt.Sprint(ls), "[]") }
			if len(ls.Bound) > 0 && strings.HasPrefix(ls.Bound[0].Host, "[") {
				t.Errorf("%s: host %s has brackets", tc.properties, ls.Bound[0].Host)
			}
			got = fmt.Sprintf("%s | %s | %s | %s", join(ls.Bound), join(ls.Advertised), join(ls.Controller), ls.InterBroker)
		}
		if got != tc.want {
			t.Errorf("%s:\n  %s\nwant\n  %s", tc.properties, got, tc.want)
		}
	}
}

func FuzzListeners(f *testing.F) {
	f.Add("PLAINTEXT://localhost:9092", "PLAINTEXT://h:1", "PLAINTEXT:PLAINTEXT")
	f.Add("A://[::1]:1,B://:1", "", "A:PLAINTEXT,B:SSL")
	f.Add("://:", "x", ":")
	f.Fuzz(func(t *testing.T, listeners, advertised, protocols string) {
		v, _, err := Parse(Properties{"listeners": listeners, "advertised.listeners": advertised, "listener.security.protocol.map": protocols})
		if err != nil {
			return
		}
		ls, err := v.Listeners()
		if err != nil {
			t.Fatalf("Parse accepts what Listeners refuses: %v", err)
		}
		for _, l := range ls.Bound {
			if l.Name == "" || l.Protocol != "PLAINTEXT" || l.Port < 0 || l.Port > 65535 {
				t.Errorf("%+v", l)
			}
			if again, ok := parseListener(l.String()); !ok || again.Host != l.Host || again.Port != l.Port || again.Name != l.Name {
				t.Errorf("%+v is written %s and read %+v", l, l, again)
			}
		}
	})
}
