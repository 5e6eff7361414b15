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
	.set	kSaved, 72			// agent.h, SavedRegs

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
	.global	tmrec_agent_begin, tmrec_agent_tick, tmrec_agent_ticked, tmrec_agent_special, tmrec_agent_asked
	.global	tmrec_agent_call, tmrec_agent_end
	.hidden	tmrec_agent_begin, tmrec_agent_tick, tmrec_agent_ticked, tmrec_agent_special, tmrec_agent_asked
	.hidden	tmrec_agent_call, tmrec_agent_end
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
// A call for the supervisor, which has saved the program's registers in the area. It takes the task back when the call is
// done; when it was killed meanwhile, the task goes back by itself. Flags pass over the program's stack, below its red
// zone: a signal may come at any instruction.
tmrec_agent_call:
	syscall
	mov	%gs:kSaved + 56, %rsp
	lea	-256(%rsp), %rsp
	pushq	%gs:kSaved + 136
	popfq
	mov	%gs:kSaved + 0, %rax
	mov	%gs:kSaved + 8, %rbx
	mov	%gs:kSaved + 16, %rcx
	mov	%gs:kSaved + 24, %rdx
	mov	%gs:kSaved + 32, %rsi
	mov	%gs:kSaved + 40, %rdi
	mov	%gs:kSaved + 48, %rbp
	mov	%gs:kSaved + 64, %r8
	mov	%gs:kSaved + 72, %r9
	mov	%gs:kSaved + 80, %r10
	mov	%gs:kSaved + 88, %r11
	mov	%gs:kSaved + 96, %r12
	mov	%gs:kSaved + 104, %r13
	mov	%gs:kSaved + 112, %r14
	mov	%gs:kSaved + 120, %r15
	mov	%gs:kSaved + 56, %rsp
	jmp	*%gs:kSaved + 128
	.balign	64, 0xcc
tmrec_agent_end:

	.section .note.GNU-stack, "", @progbits
