package kafkatest

import (
	"os/exec"
	"runtime"
	"syscall"
)

// run runs a process that dies with this one, even if this one is killed. The kernel ties a process to the thread that started it, so the
// thread is kept.
func run(cmd *exec.Cmd, started chan<- error, done chan<- struct{}) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err := cmd.Start()
	started <- err
	if err == nil {
		_ = cmd.Wait() // its end was asked for, or stands in its log
	}
	close(done)
}
