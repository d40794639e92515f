package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAddOffsetsToTxn(t *testing.T) {
	f := newFixture(t)
	f.versions(kmsg.NewPtrAddOffsetsToTxnRequest(), func(v int16) {
		p := f.producer(fmt.Sprint("t", v))
		version := fmt.Sprint("version ", v)
		equal(t, version, p.addOffsets(v, "g"), 0) // g is 103 in Java, of 50 partitions
		equal(t, version+", in the transaction", fmt.Sprintf("%+v", f.describeTxn(p.txnID).Topics[0].Partitions), "[3]")
		equal(t, version, f.describeTxn(p.txnID).Topics[0].Topic, groupMetadataTopic)
		fenced := kerr.ProducerFenced.Code
		if v < 2 {
			fenced = kerr.InvalidProducerEpoch.Code
		}
		other := *p
		other.epoch++
		equal(t, version+", another epoch", other.addOffsets(v, "g"), fenced)
		other = *p
		other.id += 1000
		equal(t, version+", another producer id", other.addOffsets(v, "g"), kerr.InvalidProducerIDMapping.Code)
		other.txnID = ""
		equal(t, version+", no transactional id", other.addOffsets(v, "g"), kerr.InvalidRequest.Code)
		f.marked.hold()
		p.end(v, true)
		equal(t, version+", while it is being ended", p.addOffsets(v, "g"), kerr.ConcurrentTransactions.Code)
		f.marked.release()
	})
}
