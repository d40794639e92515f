package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
)

// code is the Kafka error code of err: 0 for nil, the code of the kerr value it
// wraps, or UNKNOWN_SERVER_ERROR. A context that ended is REQUEST_TIMED_OUT.
func code(err error) int16 {
	if err == nil {
		return 0
	}
	if ke, ok := errors.AsType[*kerr.Error](err); ok {
		return ke.Code
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return kerr.RequestTimedOut.Code
	}
	return kerr.UnknownServerError.Code
}

// message is what a client may show to a person: the text in front of the Kafka
// error that err wraps, or nil where there is only the code.
func message(err error) *string {
	if err == nil {
		return nil
	}
	if refusal, ok := errors.AsType[*controller.Error](err); ok {
		if refusal.Message == "" {
			return nil
		}
		return &refusal.Message
	}
	ke, ok := errors.AsType[*kerr.Error](err)
	text := err.Error()
	if ok {
		if text == ke.Error() {
			text = ke.Description
		} else if n := len(text) - len(ke.Error()) - len(": "); n > 0 && text[n:] == ": "+ke.Error() {
			text = text[:n]
		}
	}
	return &text
}

// refusal is an error in Kafka's words, for errors that a client is told with
// their text.
func refusal(code *kerr.Error, format string, args ...any) error {
	return &controller.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
