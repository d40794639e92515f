package api

import "blumfeld/controller"

// endpoint is the address of b that the sender of r is told: what b advertises
// on the listener that r came in by. A broker that listens on every interface
// and advertises nothing has no single address; its clients are told the one
// that they have just reached it by.
func endpoint(d *Deps, r *Request, b controller.Broker) (controller.Endpoint, bool) {
	for _, e := range b.Endpoints {
		if e.Listener != r.Listener {
			continue
		}
		if e.Host == "" && b.ID == d.NodeID {
			e.Host = r.LocalHost
		}
		return e, e.Host != ""
	}
	return controller.Endpoint{}, false
}
