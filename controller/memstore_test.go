package controller_test

import (
	"testing"

	"blumfeld/controller"
	"blumfeld/controller/storetest"
)

func TestMemStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Store { return controller.NewMemStore() })
}
