package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// DeleteTopics, key 20, versions 1 to 6: KIP-4, KIP-322 (TOPIC_DELETION_DISABLED,
// version 3), KIP-516 (by topic id, version 6). When the answer leaves, the topic
// is gone for every client of this broker; its files go later
// (file.delete.delay.ms).

func deleteTopics(ctx context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.DeleteTopicsRequest)
	out := in.ResponseKind().(*kmsg.DeleteTopicsResponse)
	asked := in.Topics
	if r.Version < 6 {
		asked = nil
		for _, name := range in.TopicNames {
			asked = append(asked, kmsg.DeleteTopicsRequestTopic{Topic: kmsg.StringPtr(name)})
		}
	}
	if err := deletionDisabled(d, r.Version); err != nil {
		out.Topics = refuseDeletion(asked, err)
		return answer(out)
	}
	refs, refused := topicRefs(asked)
	err := withinTimeout(ctx, in.TimeoutMillis, func(ctx context.Context) {
		results, revision := d.Controller.DeleteTopics(ctx, refs)
		awaitServed(ctx, d, revision)
		for _, res := range results {
			o := kmsg.NewDeleteTopicsResponseTopic()
			// What was asked for by an id that nobody knows has no name.
			if res.Name != "" {
				o.Topic = kmsg.StringPtr(res.Name)
			}
			o.TopicID = res.ID
			o.ErrorCode, o.ErrorMessage = code(res.Err), message(res.Err)
			out.Topics = append(out.Topics, o)
		}
	})
	if err != nil {
		out.Topics = refuseDeletion(asked, err)
		return answer(out)
	}
	out.Topics = append(out.Topics, refused...)
	return answer(out)
}

// deletionDisabled answers the error if delete.topic.enable is false.
func deletionDisabled(d *Deps, version int16) error {
	switch {
	case d.Config.Bool("delete.topic.enable"):
		return nil
	case version < 3:
		return kerr.InvalidRequest
	}
	return kerr.TopicDeletionDisabled
}

// refuseDeletion answers everything that was asked for with one error and, as in
// Kafka, no message.
func refuseDeletion(asked []kmsg.DeleteTopicsRequestTopic, err error) (out []kmsg.DeleteTopicsResponseTopic) {
	for _, t := range asked {
		o := kmsg.NewDeleteTopicsResponseTopic()
		o.Topic, o.TopicID, o.ErrorCode = t.Topic, t.TopicID, code(err)
		out = append(out, o)
	}
	return out
}

// topicRefs is the request as the controller takes it. An empty name, which is
// not the same as none, is answered here: no topic has it.
func topicRefs(asked []kmsg.DeleteTopicsRequestTopic) (refs []controller.TopicRef, refused []kmsg.DeleteTopicsResponseTopic) {
	for _, t := range asked {
		switch {
		case t.Topic == nil:
			refs = append(refs, controller.TopicRef{ID: t.TopicID})
		case *t.Topic != "":
			refs = append(refs, controller.TopicRef{Name: *t.Topic, ID: t.TopicID})
		default:
			o := kmsg.NewDeleteTopicsResponseTopic()
			o.Topic, o.TopicID = t.Topic, t.TopicID
			o.ErrorCode, o.ErrorMessage = kerr.UnknownTopicOrPartition.Code, &kerr.UnknownTopicOrPartition.Description
			if t.TopicID != [16]byte{} {
				o.ErrorCode = kerr.InvalidRequest.Code
				o.ErrorMessage = kmsg.StringPtr("You may not specify both topic name and topic id.")
			}
			refused = append(refused, o)
		}
	}
	return refs, refused
}
