package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

func TestUnregisterBroker(t *testing.T) {
	f := newFixture(t)
	if _, err := f.Controller.RegisterBroker(t.Context(), controller.Broker{ID: 2, Incarnation: [16]byte{2}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id   int32
		want string
	}{
		{9, "e102 Broker ID 9 is not currently registered"},
		{-1, "e102 Broker ID -1 is not currently registered"},
		{testNode, "e42 Broker 1 is running: stop it before it is unregistered."},
		{2, "e0 "},
		{2, "e102 Broker ID 2 is not currently registered"},
	} {
		r := kmsg.NewPtrUnregisterBrokerRequest()
		r.BrokerID = c.id
		got := ask[*kmsg.UnregisterBrokerResponse](f, r)
		equal(t, fmt.Sprint(c.id), fmt.Sprintf("e%d %s", got.ErrorCode, text(got.ErrorMessage)), c.want)
	}
	equal(t, "brokers", len(f.Partitions.Image().Brokers()), 1)
}
