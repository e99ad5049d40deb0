package connectors

import "context"

type retryKey struct{}

// WatchRetries returns a context under which the methods of a Broker tell why they do not get on, each time they try again, so that it can be shown
// while they do: a full disk, a broker that is away. f may be called from several goroutines.
func WatchRetries(ctx context.Context, f func(error)) context.Context {
	return context.WithValue(ctx, retryKey{}, f)
}

// Retrying is called by a Broker before it tries again.
func Retrying(ctx context.Context, err error) {
	if f, ok := ctx.Value(retryKey{}).(func(error)); ok {
		f(err)
	}
}
