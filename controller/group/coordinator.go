// Package group is the group coordinator.
package group

import (
	"context"
	"log/slog"
	"time"

	"blumfeld/controller"
)

// Options of a Coordinator. Store is required.
type Options struct {
	Store       controller.Store
	Config      Config                       // taken as it is: see DefaultConfig
	Now         func() time.Time             // nil: time.Now
	NewMemberID func(clientID string) string // nil: clientID, "-" and a random UUID, as Kafka; static members: the instance id's
	Logger      *slog.Logger                 // nil: silent
}

type Coordinator struct{ opts Options }

func New(o Options) *Coordinator                                 { return &Coordinator{o} }
func (c *Coordinator) Start(ctx context.Context) error           { return nil }
func (c *Coordinator) Close()                                    {}
func (c *Coordinator) Join(r JoinRequest) <-chan JoinResponse    { return nil }
func (c *Coordinator) Sync(r SyncRequest) <-chan SyncResponse    { return nil }
func (c *Coordinator) Heartbeat(r HeartbeatRequest) <-chan error { return nil }
func (c *Coordinator) Leave(r LeaveRequest) <-chan LeaveResponse { return nil }
func (c *Coordinator) Commit(r CommitRequest) <-chan CommitResponse {
	return nil
}
func (c *Coordinator) FetchOffsets(r FetchRequest) FetchResponse      { return FetchResponse{} }
func (c *Coordinator) Describe(group string) Description              { return Description{} }
func (c *Coordinator) List(f ListFilter) []Listing                    { return nil }
func (c *Coordinator) Delete(groups []string) <-chan map[string]error { return nil }
func (c *Coordinator) DeleteOffsets(r DeleteOffsetsRequest) <-chan DeleteOffsetsResponse {
	return nil
}
func (c *Coordinator) TopicsDeleted(names []string) {}
