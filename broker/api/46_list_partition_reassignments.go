package api

import "context"

// ListPartitionReassignments, key 46, version 0: KIP-455. None is ever in
// progress (see AlterPartitionReassignments); topics and partitions that do not
// exist are left out without an error.

func listPartitionReassignments(_ context.Context, _ *Deps, r *Request) Reply {
	return answer(r.Body.ResponseKind())
}
