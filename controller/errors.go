package controller

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Error is a refusal that a client is told: Kafka's code, and the text that Kafka puts in the response's error message.
type Error struct {
	Code    *kerr.Error
	Message string // "": Kafka answers a null message
}

func (e *Error) Error() string {
	if e.Message == "" {
		return e.Code.Error()
	}
	return e.Code.Message + ": " + e.Message
}

func (e *Error) Unwrap() error { return e.Code }

// refuse returns an *Error with a message.
func refuse(code *kerr.Error, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// refused returns an *Error whose message is null in Kafka's answer.
func refused(code *kerr.Error) error { return &Error{Code: code} }

// storeError gives an error of the store the Kafka code that a client understands, and keeps it in the chain.
func storeError(err error) error {
	var refusal *Error
	switch {
	case err == nil || errors.As(err, &refusal):
		return err
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		return errors.Join(refuse(kerr.RequestTimedOut, "The metadata store did not answer in time."), err)
	case errors.Is(err, ErrNoSpace):
		return errors.Join(refuse(kerr.KafkaStorageError, "The metadata store is full."), err)
	case errors.Is(err, ErrClosed):
		return errors.Join(refuse(kerr.NotController, "The controller is shutting down."), err)
	default:
		return errors.Join(refuse(kerr.UnknownServerError, "The metadata store failed."), err)
	}
}
