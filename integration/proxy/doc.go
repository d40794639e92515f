// Package proxy owns what happens to requests on their way from a client to a broker: that they are late, come twice, come
// when their client has gone on or is dead, or that their answers get lost. It reads frames and their headers, so that a
// request arrives whole or not at all.
//
// It must not know what requests mean, nor when a fate is fair: who has which fate, the caller decides.
package proxy
