package txn

import (
	"strconv"
	"strings"
)

// The key layout; doc.go explains it.
const (
	idsPrefix   = "txns/t/"
	ownerPrefix = "txns/owner/"
)

func ownerKey(shard int) string { return ownerPrefix + strconv.Itoa(shard) }

func idKey(transactionalID string) string { return idsPrefix + transactionalID }

func parseKey(key string) (transactionalID string, ok bool) {
	id, ok := strings.CutPrefix(key, idsPrefix)
	return id, ok && id != ""
}
