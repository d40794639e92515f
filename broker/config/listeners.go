package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Listener is an address to listen on or to advertise.
type Listener struct {
	Name     string // in capitals
	Protocol string // PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL
	Host     string // empty for every interface; an IPv6 address without brackets
	Port     int32
}

func (l Listener) String() string {
	host := l.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("%s://%s:%d", l.Name, host, l.Port)
}

// Listeners is where a broker listens and what it tells others.
type Listeners struct {
	// Bound are the listeners to open, those of the controller excepted.
	Bound []Listener
	// Advertised are told to clients, in the order of their configuration. An
	// empty Host is for the broker to fill in.
	Advertised []Listener
	// Controller are the listeners of controller.listener.names.
	Controller []Listener
	// InterBroker is the name of the listener that brokers use among themselves.
	InterBroker string
}

// securityProtocols are those that Kafka knows.
func securityProtocols() []string { return []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"} }

// Listeners parses what is configured about listeners, with the rules and errors
// of Kafka's KafkaConfig and SocketServerConfigs. Three things differ. A node that
// is its own controller needs no controller listener. A listener on 0.0.0.0 needs
// no advertised one: like no host at all it is every interface, and each client
// is told the address by which it came. And only PLAINTEXT is spoken here, so
// that another protocol is an error and not a port that answers nobody.
func (v Values) Listeners() (Listeners, error) {
	var ls Listeners
	protocols, err := v.protocolMap()
	if err != nil {
		return ls, err
	}
	if ls.InterBroker, err = v.interBrokerListener(protocols); err != nil {
		return ls, err
	}
	all, err := parseListeners(v.List("listeners"), protocols, true)
	if err != nil {
		return ls, err
	}
	controller := v.List("controller.listener.names")
	forController := func(l Listener) bool { return slices.Contains(controller, l.Name) }
	for _, l := range all {
		if forController(l) {
			ls.Controller = append(ls.Controller, l)
		} else {
			ls.Bound = append(ls.Bound, l)
		}
	}
	ls.Advertised = slices.Clone(ls.Bound)
	for i := range ls.Advertised {
		if everyInterface(ls.Advertised[i].Host) {
			ls.Advertised[i].Host = ""
		}
	}
	if advertised, ok := v.Lookup("advertised.listeners"); ok {
		if ls.Advertised, err = parseListeners(splitList(advertised), protocols, false); err != nil {
			return ls, err
		}
		ls.Advertised = slices.DeleteFunc(ls.Advertised, forController)
	}
	return ls, v.checkListeners(ls, all)
}

// everyInterface says whether a host to listen on is no address in particular.
func everyInterface(host string) bool { return host == "" || host == "0.0.0.0" || host == "::" }

func (v Values) checkListeners(ls Listeners, all []Listener) error {
	advertised, bound := listenerNames(ls.Advertised), listenerNames(all)
	if len(advertised) == 0 {
		return requirement("There must be at least one broker advertised listener. Perhaps all listeners appear in controller.listener.names?")
	}
	if !slices.Contains(advertised, ls.InterBroker) {
		return requirement("inter.broker.listener.name must be a listener name defined in advertised.listeners. " +
			"The valid options based on currently configured listeners are " + strings.Join(advertised, ","))
	}
	for _, name := range advertised {
		if !slices.Contains(bound, name) {
			return requirement("advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. Found " +
				strings.Join(advertised, ",") + ". The valid options based on the current configuration are " + strings.Join(bound, ","))
		}
	}
	for _, l := range slices.Concat(ls.Advertised, ls.Controller) {
		if l.Host == "0.0.0.0" {
			return requirement("advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.")
		}
	}
	for _, l := range v.List("early.start.listeners") {
		if !slices.Contains(bound, l) && !slices.Contains(v.List("controller.listener.names"), l) {
			return errorf("early.start.listeners contains listener %s, but this is not contained in listeners or controller.listener.names", l)
		}
	}
	for _, l := range ls.Bound {
		if l.Protocol != "PLAINTEXT" {
			return errorf("listener %s speaks %s, and only PLAINTEXT is supported yet", l.Name, l.Protocol)
		}
		// Port 0 is chosen by the operating system, as in Kafka.
		if l.Port < 0 || l.Port > 65535 {
			return errorf("listener %s: there is no port %d", l.Name, l.Port)
		}
	}
	return nil
}

func listenerNames(ls []Listener) []string {
	names := make([]string, len(ls))
	for i, l := range ls {
		names[i] = l.Name
	}
	return names
}

// protocolMap is listener.security.protocol.map. Unless it is configured, and
// while no listener needs TLS or SASL, the controller's listeners are PLAINTEXT.
func (v Values) protocolMap() (map[string]string, error) {
	const key = "listener.security.protocol.map"
	protocols := map[string]string{}
	for _, pair := range v.pairs(key) {
		i := strings.LastIndexByte(pair, ':')
		if i < 0 {
			// Java's exception, as Kafka lets it through.
			return nil, errorf("Error parsing configuration property '%s': begin 0, end -1, length %d", key, len(pair))
		}
		name, protocol := listenerName(pair[:i]), strings.ToUpper(strings.TrimSpace(pair[i+1:]))
		if name == "" {
			return nil, errorf("The provided listener name is null or empty string")
		}
		if !slices.Contains(securityProtocols(), protocol) {
			return nil, errorf("Invalid security protocol `%s` defined in %s", strings.TrimSpace(pair[i+1:]), key)
		}
		protocols[name] = protocol
	}
	if _, configured := v.static[key]; !configured && !v.secured() {
		for _, name := range v.List("controller.listener.names") {
			if _, ok := protocols[listenerName(name)]; !ok {
				protocols[listenerName(name)] = "PLAINTEXT"
			}
		}
	}
	return protocols, nil
}

// secured says whether a listener is named like a protocol with TLS or SASL.
func (v Values) secured() bool {
	return slices.ContainsFunc(v.List("listeners"), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "://")
		return listenerName(name) != "PLAINTEXT" && slices.Contains(securityProtocols(), listenerName(name))
	})
}

func (v Values) interBrokerListener(protocols map[string]string) (string, error) {
	name, ok := v.Lookup("inter.broker.listener.name")
	if !ok {
		return v.String("security.inter.broker.protocol"), nil
	}
	if _, both := v.static["security.inter.broker.protocol"]; both {
		return "", errorf("Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.")
	}
	name = listenerName(name)
	if _, ok := protocols[name]; !ok {
		return "", errorf("Listener with name %s defined in inter.broker.listener.name not found in listener.security.protocol.map.", name)
	}
	return name, nil
}

// listenerName is a listener's name in its normal form.
func listenerName(name string) string { return strings.ToUpper(strings.TrimSpace(name)) }

// parseListeners parses NAME://host:port entries. Ports have to be distinct if
// asked for, but for one IPv4 and one IPv6 address on the same.
func parseListeners(entries []string, protocols map[string]string, distinctPorts bool) ([]Listener, error) {
	shown := "[" + strings.Join(entries, ", ") + "]"
	refuse := func(format string, args ...any) error {
		return errorf("Error creating broker listeners from '%s': %s", shown, fmt.Sprintf(format, args...))
	}
	var ls []Listener
	for _, entry := range entries {
		l, ok := parseListener(entry)
		if !ok {
			return nil, refuse("Unable to parse %s to a broker endpoint", entry)
		}
		if l.Protocol, ok = protocols[l.Name]; !ok {
			return nil, refuse("No security protocol defined for listener %s", l.Name)
		}
		for _, other := range ls {
			if other.Name == l.Name {
				return nil, refuse("Each listener must have a different name, listeners: %s", shown)
			}
		}
		ls = append(ls, l)
	}
	if !distinctPorts {
		return ls, nil
	}
	byPort := map[int32][]Listener{}
	for _, l := range ls {
		if l.Port != 0 {
			byPort[l.Port] = append(byPort[l.Port], l)
		}
	}
	for _, l := range ls {
		same := byPort[l.Port]
		if len(same) < 2 {
			continue
		}
		var v4, v6 int
		for _, l := range same {
			if addr, err := netip.ParseAddr(l.Host); err == nil && addr.Is4() {
				v4++
			} else if err == nil {
				v6++
			}
		}
		switch {
		case v4 == 1 && v6 == 1 && len(same) == 2:
		case v4+v6 > 2:
			return nil, refuse("Each listener must have a different port unless exactly one listener has an IPv4 address and the other IPv6 address, listeners: %s, port: %d", shown, l.Port)
		case v4+v6 == 2:
			return nil, refuse("If you have two listeners on the same port then one needs to be IPv4 and the other IPv6, listeners: %s, port: %d", shown, l.Port)
		default:
			return nil, refuse("Each listener must have a different port, listeners: %s", shown)
		}
	}
	return ls, nil
}

func parseListener(entry string) (Listener, bool) {
	name, addr, ok := strings.Cut(entry, "://")
	if !ok || name == "" {
		return Listener{}, false
	}
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return Listener{}, false
	}
	port, err := strconv.ParseInt(addr[i+1:], 10, 32)
	if err != nil || strings.HasPrefix(addr[i+1:], "+") {
		return Listener{}, false
	}
	host := addr[:i]
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if host, ok = strings.CutSuffix(inner, "]"); !ok {
			return Listener{}, false
		}
	}
	if host != "" && !validHost(host) {
		return Listener{}, false
	}
	return Listener{Name: listenerName(name), Host: host, Port: int32(port)}, true
}

// validHost says whether s may be a host name or an address, as loosely as Kafka
// looks at it.
func validHost(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || strings.IndexByte("-%._:", c) >= 0) {
			return false
		}
	}
	return true
}
