// The agent: code that is mapped into every recorded address space, and that patched code goes to (tracee/agent/agent.h).
// It is copied, so it refers to nothing but itself and the task's area in %gs.
//
// At a tick, and at a special instruction, everything is the program's but what TaskArea says. A system call with a
// number that no kernel has reaches a supervisor; without one it fails, harmlessly, and the program goes on by itself.
// Flags pass through a system call unharmed; rcx, r11 and rax do not.

	.set	kScratchRcx, 16
	.set	kScratchRax, 32
	.set	kResume, 56
	.set	kScratchR11, 64

	.macro	call_supervisor number
	mov	%r11, %gs:kScratchR11
	mov	$\number, %eax
	syscall
	.endm

	.macro	go_on
	mov	%gs:kScratchR11, %r11
	mov	%gs:kScratchRcx, %rcx
	mov	%gs:kScratchRax, %rax
	jmp	*%gs:kResume
	.endm

	.section .rodata
	.global	tmrec_agent_begin, tmrec_agent_tick, tmrec_agent_ticked, tmrec_agent_special, tmrec_agent_asked, tmrec_agent_end
	.hidden	tmrec_agent_begin, tmrec_agent_tick, tmrec_agent_ticked, tmrec_agent_special, tmrec_agent_asked, tmrec_agent_end
	.balign	64
tmrec_agent_begin:
tmrec_agent_tick:
	call_supervisor 0x0f7ec001
tmrec_agent_ticked:
	go_on
	.balign	64, 0xcc
tmrec_agent_special:
	call_supervisor 0x0f7ec002
tmrec_agent_asked:
	go_on
	.balign	64, 0xcc
tmrec_agent_end:

	.section .note.GNU-stack, "", @progbits
