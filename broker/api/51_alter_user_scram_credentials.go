package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterUserScramCredentials, key 51, version 0: KIP-554. One answer for each
// user, the first error that he met.
//
// Deviation: there is no SASL, so no credentials can be stored. What Kafka
// refuses is refused in its words; a credential that it would store is an
// UNSUPPORTED_VERSION, which is what Kafka says where its metadata version
// is too old to keep them.

// SCRAM mechanisms and their bounds, of Kafka's ScramMechanism and
// ScramControlManager.
const (
	scramSHA256        = 1
	scramSHA512        = 2
	scramMinIterations = 4096
	scramMaxIterations = 16384
)

func alterUserSCRAMCredentials(_ context.Context, _ *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.AlterUserSCRAMCredentialsRequest)
	out := in.ResponseKind().(*kmsg.AlterUserSCRAMCredentialsResponse)
	errs := make(map[string]error)
	var users []string                // in the order of their first appearance
	upserted := make(map[string]bool) // and nothing wrong with it so far
	answered := func(user string, err error) {
		errs[user] = err
		users = append(users, user)
	}
	for _, u := range in.Deletions {
		if _, done := errs[u.Name]; done {
			continue
		}
		err := checkSCRAM(u.Name, u.Mechanism)
		if err == nil {
			err = refusal(kerr.ResourceNotFound, "Attempt to delete a user credential that does not exist")
		}
		answered(u.Name, err)
	}
	for _, u := range in.Upsertions {
		if _, done := errs[u.Name]; done {
			if upserted[u.Name] {
				upserted[u.Name] = false
				errs[u.Name] = refusal(kerr.DuplicateResource, "A user credential cannot be altered twice in the same request")
			}
			continue
		}
		err := checkSCRAM(u.Name, u.Mechanism)
		switch {
		case err != nil:
		case u.Iterations < scramMinIterations:
			err = refusal(kerr.UnacceptableCredential, "Too few iterations")
		case u.Iterations > scramMaxIterations:
			err = refusal(kerr.UnacceptableCredential, "Too many iterations")
		default:
			err = refusal(kerr.UnsupportedVersion, "This broker has no SASL: SCRAM credentials cannot be stored.")
			upserted[u.Name] = true
		}
		answered(u.Name, err)
	}
	for _, user := range users {
		o := kmsg.NewAlterUserSCRAMCredentialsResponseResult()
		o.User, o.ErrorCode, o.ErrorMessage = user, code(errs[user]), message(errs[user])
		out.Results = append(out.Results, o)
	}
	return answer(out)
}

func checkSCRAM(user string, mechanism int8) error {
	switch {
	case user == "":
		return refusal(kerr.UnacceptableCredential, "Username must not be empty")
	case mechanism != scramSHA256 && mechanism != scramSHA512:
		return refusal(kerr.UnsupportedSaslMechanism, "Unknown SCRAM mechanism")
	}
	return nil
}
