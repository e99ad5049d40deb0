package kafka

import (
	"time"

	"rhumb/connectors"
)

// The options that appear in more than one kind of object.
var (
	optionStart = connectors.OptionSpec{Name: "start", Type: connectors.OptionTime, Default: "earliest", Values: []string{"earliest", "latest"},
		Doc: "Where reading begins: at the beginning of the log, at its end, or at the first record whose timestamp is not before this time.", Example: "2026-01-31 00:00:00+00"}
	// Of a query there is no default: without it the stream's holds.
	optionQueryStart = connectors.OptionSpec{Name: "start", Type: connectors.OptionTime, Values: []string{"earliest", "latest"},
		Doc: "Where the query begins to read, if not where its streams say: at the beginning of the log, at its end, or at the first record whose timestamp is not before this time.", Example: "latest"}
	optionRetention = connectors.OptionSpec{Name: "retention", Type: connectors.OptionBytes, Min: 1 << 20,
		Doc: "How much of the topic is kept in each partition, if Rhumb creates the topic; the oldest records go first. Without it 1 GiB in the embedded broker, 10 GiB on a cluster.", Example: "1GB"}
	optionTopic = connectors.OptionSpec{Name: "topic", Type: connectors.OptionString,
		Doc: "The Kafka topic. Without it, the topic has the object's name.", Example: "sshd"}
)

func optionPartitions(def, why string) connectors.OptionSpec {
	return connectors.OptionSpec{Name: "partitions", Type: connectors.OptionInt, Default: def, Min: 1,
		Doc: "The number of partitions, if Rhumb creates the topic. " + why, Example: "8"}
}

func optionLineage(def string) connectors.OptionSpec {
	return connectors.OptionSpec{Name: "lineage_limit", Type: connectors.OptionInt, Default: def,
		Doc: "How many simple events a result keeps references to: the first and the last half in log order; 0 = none.", Example: "20"}
}

// SourceOptions are those of CREATE STREAM over a topic.
var SourceOptions = connectors.Spec{Title: "CREATE STREAM: connector = 'kafka'", Options: []connectors.OptionSpec{
	{Name: "connector", Type: connectors.OptionEnum, Default: "kafka", Values: []string{"kafka"}, Doc: "Where the events are.", Example: "kafka"},
	optionTopic,
	{Name: "format", Type: connectors.OptionEnum, Default: "json", Values: []string{"json", "text"},
		Doc: "How a record's value is read: a JSON object whose members are the columns, or text as the one column.", Example: "json"},
	{Name: "key", Type: connectors.OptionString,
		Doc: "The declared column whose value, as text, is the key of the records that --load writes, and decides their partition. Without it they go round all partitions.", Example: "src_ip"},
	optionPartitions("1", "Within one, records keep their order; several are fetched side by side."),
	optionRetention,
	optionStart,
	{Name: "idle_timeout", Type: connectors.OptionDuration, Default: "30s", Min: int64(time.Millisecond),
		Doc: "After this long without a record a partition no longer holds the watermark back.", Example: "5 seconds"},
	{Name: "close_after", Type: connectors.OptionDuration, Min: int64(time.Millisecond),
		Doc: "When all partitions are idle for this long, the watermark passes the latest event, so that open windows close. Without it they wait for the next event.", Example: "1 minute"},
	{Name: "max_future", Type: connectors.OptionDuration, Default: "5 minutes",
		Doc: "An event further ahead of the clock than this is set aside in rhumb.future and does not move the watermark.", Example: "1 hour"},
}}

// StreamOptions are those of CREATE STREAM ... AS.
var StreamOptions = connectors.Spec{Title: "CREATE STREAM ... AS", Options: []connectors.OptionSpec{
	optionTopic, optionPartitions("1", "Results keep the order of one partition."), optionRetention, optionQueryStart, optionLineage("100"),
}}

// ViewOptions are those of CREATE MATERIALIZED VIEW.
var ViewOptions = connectors.Spec{Title: "CREATE MATERIALIZED VIEW", Options: []connectors.OptionSpec{
	optionTopic, optionPartitions("1", "Changes keep the order of one partition."), optionRetention, optionQueryStart, optionLineage("20"),
}}
