package api

import (
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/broker/config"
	"blumfeld/controller"
)

// Broker loggers (KIP-412). Kafka has one for each of its classes; here there is
// one, root, whose level is that of --log-level until it is changed. As in Kafka,
// a change lasts until the broker stops.

// rootLogger is the one logger there is.
const rootLogger = "root"

// logLevel is a level as Log4j and as slog have it.
type logLevel struct {
	name  string
	level slog.Level
}

// logLevels are all levels, from the most to the least talkative. Nothing here
// logs by the outer two.
func logLevels() []logLevel {
	return []logLevel{
		{"TRACE", slog.LevelDebug - 4}, {"DEBUG", slog.LevelDebug}, {"INFO", slog.LevelInfo},
		{"WARN", slog.LevelWarn}, {"ERROR", slog.LevelError}, {"FATAL", slog.LevelError + 4},
	}
}

func describeLoggers(level slog.Level, only []string) []config.Entry {
	if len(only) > 0 && !slices.Contains(only, rootLogger) {
		return nil
	}
	name := ""
	for _, l := range logLevels() {
		if name == "" || l.level <= level {
			name = l.name
		}
	}
	return []config.Entry{{Name: rootLogger, Value: &name, Source: config.SourceBrokerLogger}}
}

// alterLoggers changes log levels, all or, if one cannot be changed as asked,
// none; the errors are those of Kafka's RuntimeLoggerManager.
func alterLoggers(d *Deps, c controller.ConfigChange, validateOnly bool) error {
	if err := controller.CheckConfigOps(c.Ops); err != nil {
		return err
	}
	id, err := strconv.ParseInt(c.Resource.Name, 10, 32)
	if err != nil {
		return invalidRequest("Node id must be an integer, but it is: %s", c.Resource.Name)
	}
	if int32(id) != d.NodeID {
		return invalidRequest("Unexpected node id. Expected %d, but received %s", d.NodeID, c.Resource.Name)
	}
	levels := logLevels()
	at := -1
	for _, op := range c.Ops {
		if op.Kind == controller.ConfigAppend || op.Kind == controller.ConfigSubtract {
			return invalidRequest("%s operation is not allowed for the BROKER_LOGGER resource", op.Kind)
		}
		if op.Key != rootLogger {
			return invalidConfig("Logger " + op.Key + " does not exist!")
		}
		if op.Kind == controller.ConfigDelete {
			return invalidRequest("Removing the log level of the %s logger is not allowed", rootLogger)
		}
		if at = slices.IndexFunc(levels, func(l logLevel) bool { return l.name == op.Value }); at < 0 {
			return invalidConfig("Cannot set the log level of " + op.Key + " to " + op.Value +
				" as it is not a supported log level. Valid log levels are " + levelNames(levels))
		}
	}
	if at >= 0 && !validateOnly {
		d.LogLevel.Set(levels[at].level)
		d.Logger.Warn("log level updated", "logger", rootLogger, "level", levels[at].name)
	}
	return nil
}

func levelNames(levels []logLevel) string {
	var names []string
	for _, l := range levels {
		names = append(names, l.name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func invalidConfig(text string) error {
	return &controller.Error{Code: kerr.InvalidConfig, Message: text}
}
