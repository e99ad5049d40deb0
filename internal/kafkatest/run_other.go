//go:build !linux

package kafkatest

import "os/exec"

func run(cmd *exec.Cmd, started chan<- error, done chan<- struct{}) {
	err := cmd.Start()
	started <- err
	if err == nil {
		_ = cmd.Wait() // its end was asked for, or stands in its log
	}
	close(done)
}
