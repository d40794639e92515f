package main

import "context"

// memoryRows tell what the brokers hold after all that was measured before, whatever that was.
func memoryRows() []row {
	return []row{{set: "memory", name: "memory after all rows", young: true, once: true, run: memory}}
}

func memory(_ context.Context, _ load, b *broker) ([]measured, error) {
	u, err := b.usage()
	if err != nil {
		return nil, err
	}
	return []measured{
		{figure{"RssAnon MiB", lowerIsBetter}, float64(u.RSSAnon) / (1 << 20)},
		{figure{"peak RSS MiB", lowerIsBetter}, float64(u.PeakRSS) / (1 << 20)},
	}, nil
}
