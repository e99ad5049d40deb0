package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/IBM/sarama"

	"rhumb/types"
)

// codeDenied is Postgres's insufficient_privilege.
const codeDenied = "42501"

// transient reports whether trying again may help: the broker is away, leadership moves, replicas are behind, its disk is full.
func transient(err error) bool {
	var user *types.Error
	if errors.As(err, &user) {
		return false
	}
	var code sarama.KError
	if errors.As(err, &code) {
		switch code {
		case sarama.ErrLeaderNotAvailable, sarama.ErrNotLeaderForPartition, sarama.ErrRequestTimedOut, sarama.ErrBrokerNotAvailable,
			sarama.ErrReplicaNotAvailable, sarama.ErrNetworkException, sarama.ErrNotEnoughReplicas, sarama.ErrNotEnoughReplicasAfterAppend,
			sarama.ErrNotController, sarama.ErrKafkaStorageError, sarama.ErrFencedLeaderEpoch, sarama.ErrUnknownLeaderEpoch,
			sarama.ErrOffsetNotAvailable, sarama.ErrThrottlingQuotaExceeded, sarama.ErrStaleControllerEpochCode, sarama.ErrStaleBrokerEpoch,
			sarama.ErrReassignmentInProgress, sarama.ErrUnknown:
			return true
		}
		return false
	}
	return !decodeFault(err) && !errors.As(err, new(sarama.ConfigurationError)) && !errors.As(err, new(sarama.PacketEncodingError)) &&
		!errors.Is(err, sarama.ErrClosedClient) && !errors.Is(err, sarama.ErrUnsupportedVersion)
}

// decodeFault reports whether a response came but could not be read: damaged, or larger than the limits.
func decodeFault(err error) bool {
	return errors.As(err, new(sarama.PacketDecodingError)) || errors.Is(err, sarama.ErrInsufficientData) || errors.As(err, new(damaged))
}

// mapped makes the error that the user sees. what says what was being done: "creating topic x".
func mapped(what, topic string, err error) *types.Error {
	var user *types.Error
	if errors.As(err, &user) {
		return user
	}
	failed := func(code string) *types.Error { return types.Errorf(code, "%s failed: %s", what, plain(err)) }
	switch {
	case errors.Is(err, sarama.ErrUnknownTopicOrPartition):
		return noTopic(topic)
	case errors.Is(err, sarama.ErrTopicAlreadyExists):
		return types.Errorf(types.CodeDuplicateTable, "topic %q already exists", topic)
	case errors.Is(err, sarama.ErrInvalidTopic):
		return types.Errorf(types.CodeInvalidOption, "invalid topic name %q", topic).WithHint("A topic's name differs from every other's by more than . and _.")
	case errors.Is(err, sarama.ErrTopicAuthorizationFailed), errors.Is(err, sarama.ErrClusterAuthorizationFailed):
		return failed(codeDenied).WithHint("Give Rhumb's user the right on the broker (kafka-acls).")
	case errors.Is(err, sarama.ErrInvalidPartitions), errors.Is(err, sarama.ErrInvalidReplicationFactor), errors.Is(err, sarama.ErrInvalidConfig),
		errors.Is(err, sarama.ErrPolicyViolation), errors.As(err, new(sarama.ConfigurationError)):
		return failed(types.CodeInvalidOption)
	case errors.Is(err, sarama.ErrInvalidTimestamp):
		return failed(types.CodeDatetimeOverflow).WithHint("Set message.timestamp.before.max.ms and message.timestamp.after.max.ms of topic %q so that event times of any age fit.", topic)
	case errors.Is(err, sarama.ErrInvalidRecord):
		return failed(types.CodeInvalidOption).WithHint("A compacted topic takes no records without a key.")
	case errors.Is(err, sarama.ErrTopicDeletionDisabled), errors.Is(err, sarama.ErrUnsupportedVersion), errors.Is(err, sarama.ErrUnsupportedForMessageFormat):
		return failed(types.CodeNotSupported)
	case errors.Is(err, sarama.ErrClosedClient):
		return types.Errorf(types.CodeNotInPrerequisite, "%s failed: the connection to the broker is closed", what)
	case decodeFault(err), errors.Is(err, sarama.ErrInvalidMessage):
		return failed(types.CodeDataCorrupted)
	case errors.Is(err, sarama.ErrKafkaStorageError), errors.Is(err, syscall.ENOSPC):
		return failed(types.CodeDiskFull).WithHint("The broker cannot write: look at its disk and its log.")
	}
	return failed(types.CodeConnection)
}

func noTopic(topic string) *types.Error {
	return types.Errorf(types.CodeUndefinedTable, "topic %q does not exist", topic)
}

// ended is the error of an operation whose context ended; last is what it was retrying, if anything.
func ended(ctx context.Context, what string, last error) *types.Error {
	if errors.Is(ctx.Err(), context.Canceled) {
		e := types.Errorf(types.CodeCanceled, "%s was broken off: %v", what, context.Cause(ctx))
		if last != nil {
			e.WithDetail("Before that it failed: %s.", plain(last))
		}
		return e
	}
	if last == nil {
		return types.Errorf(types.CodeConnection, "%s took too long: %v", what, context.Cause(ctx))
	}
	code := types.CodeConnection
	if errors.Is(last, sarama.ErrKafkaStorageError) || errors.Is(last, syscall.ENOSPC) {
		code = types.CodeDiskFull
	}
	return types.Errorf(code, "%s failed: %s", what, plain(last)).WithDetail("It was tried again until its time was up.")
}

// plain is an error's text without sarama's prefixes and line breaks.
func plain(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return fmt.Sprintf("host %q cannot be resolved", dns.Name)
	}
	s := strings.ReplaceAll(err.Error(), "\n", "; ")
	s = strings.ReplaceAll(s, "kafka server: ", "")
	return strings.ReplaceAll(s, "kafka: ", "")
}
