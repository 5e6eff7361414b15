// Where patched code enters the agent (tracee/agent/agent.h), and what it must do in assembly.
//
// At a tick, and at a special instruction, everything is the program's but what TaskArea says. What only the supervisor
// can do is asked for by a system call with a number that no kernel has. While the supervisor stops the task at every
// call, it is there already; otherwise Syscall User Dispatch turns the call into SIGSYS, which it sees first. Without a
// supervisor the call fails, harmlessly, and the program goes on by itself. Flags pass through a system call unharmed;
// rcx, r11 and rax do not.

	.set	kScratchRcx, 16
	.set	kScratchRax, 32
	.set	kBlock, 40
	.set	kResume, 56
	.set	kScratchR11, 64			// layout.h, Area
	.set	kSaved, 72
	.set	kScripted, 216
	.set	kSelf, 360
	.set	kDispatch, 368			// Conduct
	.set	kBuffers, 372
	.set	kAsk, 376
	.set	kCall, 1408
	.set	kPerforming, 1552
	.set	kScript, 384
	.set	kAreaSize, 8192
	.set	kRing, 0x55011805f000
	.set	kBaton, 40			// RingHeader
	.set	kLetGo, 2
	.set	kReturned, 2			// SlotState

	.set	RAX, 0				// SavedRegs
	.set	RBX, 8
	.set	RCX, 16
	.set	RDX, 24
	.set	RSI, 32
	.set	RDI, 40
	.set	RBP, 48
	.set	RSP, 56
	.set	R8, 64
	.set	R9, 72
	.set	R10, 80
	.set	R11, 88
	.set	R12, 96
	.set	R13, 104
	.set	R14, 112
	.set	R15, 120
	.set	RIP, 128
	.set	FLAGS, 136

	.macro	call_supervisor number
	mov	%r11, %gs:kScratchR11
	mov	$\number, %eax
	syscall
	.endm

	.macro	untrap_tsc
	mov	$26, %edi			// PR_SET_TSC
	mov	$1, %esi			// PR_TSC_ENABLE
	mov	$157, %eax			// prctl
	syscall
	.endm

	.macro	go_on
	mov	%gs:kScratchR11, %r11
	mov	%gs:kScratchRcx, %rcx
	mov	%gs:kScratchRax, %rax
	jmp	*%gs:kResume
	.endm

	// To the registers saved there. Flags pass over the program's stack, below its red zone: a signal may come at any
	// instruction.
	.macro	go_back saved
	mov	%gs:\saved + RSP, %rsp
	lea	-256(%rsp), %rsp
	pushq	%gs:\saved + FLAGS
	popfq
	mov	%gs:\saved + RAX, %rax
	mov	%gs:\saved + RBX, %rbx
	mov	%gs:\saved + RCX, %rcx
	mov	%gs:\saved + RDX, %rdx
	mov	%gs:\saved + RSI, %rsi
	mov	%gs:\saved + RDI, %rdi
	mov	%gs:\saved + RBP, %rbp
	mov	%gs:\saved + R8, %r8
	mov	%gs:\saved + R9, %r9
	mov	%gs:\saved + R10, %r10
	mov	%gs:\saved + R11, %r11
	mov	%gs:\saved + R12, %r12
	mov	%gs:\saved + R13, %r13
	mov	%gs:\saved + R14, %r14
	mov	%gs:\saved + R15, %r15
	mov	%gs:\saved + RSP, %rsp
	jmp	*%gs:\saved + RIP
	.endm

	// In rsi: the six arguments of a system call.
	.macro	load_arguments
	mov	(%rsi), %rdi
	mov	16(%rsi), %rdx
	mov	24(%rsi), %r10
	mov	32(%rsi), %r8
	mov	40(%rsi), %r9
	mov	8(%rsi), %rsi
	.endm

	.section .entries, "ax", @progbits
// layout.h, Directory
	.quad	tick, ticked, special, special_asked, call_asked, returned, remote_call, clock, allowed, allowed_end
	.quad	tmrec_agent_copy_at, copy_failed, on_sigsys, restorer
	.quad	looked, looked_end, commits, committed, waited, waited_end, woken
	.quad	script, script_asks, script_done

	.balign	64, 0xcc
tick:
	call_supervisor 0x0f7ec001
ticked:
	go_on

	.balign	64, 0xcc
// vDSO functions call this first, the number of their system call in eax; rcx, r11 and flags are free. Behind the call
// stands `syscall`, so that the program is always seen in the vDSO.
clock:
	mov	%rax, %gs:kScratchRax
	mov	%rcx, %gs:kScratchRcx
	pop	%rcx
	mov	%rcx, %gs:kResume
	xor	%ecx, %ecx
	mov	%rcx, %gs:kBlock
	jmp	call
	.balign	64, 0xcc
// A system call instruction, or another whose result is recorded. No flag may change.
special:
	mov	%gs:kResume, %rcx
	movzwl	(%rcx), %ecx
	lea	-0x050f(%rcx), %ecx		// the bytes of `syscall`
	jrcxz	call
	mov	%gs:kBuffers, %ecx
	jrcxz	ask_special
	mov	%gs:kPerforming, %rcx
	jrcxz	begin
ask_special:
	mov	%gs:kScratchRcx, %rcx
	call_supervisor 0x0f7ec002
special_asked:
	jmp	unanswered
at_place:
	mov	%gs:kScratchRcx, %rcx
	mov	%gs:kScratchRax, %rax
	jmp	*%gs:kResume
call:
	mov	%gs:kBuffers, %ecx
	jrcxz	at_place
	mov	%gs:kPerforming, %rcx
	jrcxz	begin
	jmp	at_place
begin:
	movq	$1, %gs:kPerforming
	mov	%rbx, %gs:kCall + RBX
	mov	%rdx, %gs:kCall + RDX
	mov	%rsi, %gs:kCall + RSI
	mov	%rdi, %gs:kCall + RDI
	mov	%rbp, %gs:kCall + RBP
	mov	%rsp, %gs:kCall + RSP
	mov	%r8, %gs:kCall + R8
	mov	%r9, %gs:kCall + R9
	mov	%r10, %gs:kCall + R10
	mov	%r11, %gs:kCall + R11
	mov	%r12, %gs:kCall + R12
	mov	%r13, %gs:kCall + R13
	mov	%r14, %gs:kCall + R14
	mov	%r15, %gs:kCall + R15
	mov	%gs:kSelf, %rbx
	lea	kAreaSize(%rbx), %rsp
	pushfq
	popq	kCall + FLAGS(%rbx)
	mov	kScratchRax(%rbx), %rax
	mov	%rax, kCall + RAX(%rbx)
	mov	kScratchRcx(%rbx), %rax
	mov	%rax, kCall + RCX(%rbx)
	mov	kResume(%rbx), %rax
	mov	%rax, kCall + RIP(%rbx)
	cld
	mov	%rbx, %rdi
	call	tmrec_agent_perform
	pushq	kCall + FLAGS(%rbx)
	mov	%rax, %rcx
	mov	kCall + RDX(%rbx), %rdx
	mov	kCall + RSI(%rbx), %rsi
	mov	kCall + RDI(%rbx), %rdi
	mov	kCall + R8(%rbx), %r8
	mov	kCall + R9(%rbx), %r9
	mov	kCall + R10(%rbx), %r10
	popfq
	mov	kCall + RSP(%rbx), %rsp
	mov	kCall + R11(%rbx), %r11
	mov	kCall + RAX(%rbx), %rax
	mov	%gs:kCall + RBX, %rbx
	jrcxz	ask				// special.h: kAskCall
	lea	-1(%rcx), %rcx
	jrcxz	1f
	lea	-1(%rcx), %rcx
	jrcxz	2f
	movq	$0, %gs:kPerforming
	jmp	ask_special
1:	jmp	performed
2:	jmp	performed_special
ask:
	mov	%gs:kCall + RAX, %rcx
	mov	%rcx, %gs:kScratchRax
	mov	%gs:kCall + RIP, %rcx
	mov	%rcx, %gs:kResume
	mov	%gs:kCall + RCX, %rcx
	mov	%rcx, %gs:kScratchRcx
	movq	$0, %gs:kPerforming
	call_supervisor 0x0f7ec003
call_asked:
	go_on
performed:
	// Performed: rax is its result, the rest as the kernel leaves it.
	mov	%gs:kCall + FLAGS, %r11
	mov	%gs:kAsk, %ecx
looked:
	jrcxz	1f
	mov	%gs:kCall + RIP, %rcx
	lea	2(%rcx), %rcx
	mov	%rcx, %gs:kScratchRcx
ask_behind:
	mov	%rcx, %gs:kResume
	mov	%rax, %gs:kScratchRax
	movq	$0, %gs:kPerforming
	call_supervisor 0x0f7ec004
returned:
	go_on
1:	mov	%gs:kCall + RIP, %rcx
	lea	2(%rcx), %rcx
	movq	$0, %gs:kPerforming
	jmp	*%rcx
performed_special:
	// All registers are as the instruction leaves them but rcx.
	mov	%gs:kAsk, %ecx
	jrcxz	1f
	mov	%gs:kCall + RCX, %rcx
	mov	%rcx, %gs:kScratchRcx
	mov	%gs:kCall + RIP, %rcx
	jmp	ask_behind
1:	mov	%gs:kCall + RIP, %rcx
	mov	%rcx, %gs:kResume
	mov	%gs:kCall + RCX, %rcx
	movq	$0, %gs:kPerforming
	jmp	*%gs:kResume
looked_end:

// tmrec_agent_ask(): has the supervisor give this task the baton, and empty the ring.
	.global	tmrec_agent_ask
	.hidden	tmrec_agent_ask
tmrec_agent_ask:
	mov	$0x0f7ec005, %eax
	syscall
woken:	ret

// tmrec_agent_commit(ask, used, value): *used = value, and 1; or 0, if the supervisor wants to be asked. One that asks in
// the middle of it has the task begin again: what it wants is never seen too late.
	.global	tmrec_agent_commit
	.hidden	tmrec_agent_commit
tmrec_agent_commit:
	xor	%eax, %eax
commits:
	cmpl	$0, (%rdi)
	jne	1f
	mov	%rdx, (%rsi)
committed:
	inc	%eax
1:	ret

// Behind the last of a row of calls for the supervisor; with nobody there, the task goes back.
script_asks:
	mov	$0x0f7ec006, %eax
	syscall
script_done:
	jmp	go_back_behind_script

unanswered:
	// Nobody answered: the instruction is performed where it stands, which the trap on rdtsc must not prevent.
	mov	%rdi, %gs:kSaved + RDI
	mov	%rsi, %gs:kSaved + RSI
	untrap_tsc
	mov	%gs:kSaved + RDI, %rdi
	mov	%gs:kSaved + RSI, %rsi
	go_on

	.balign	64, 0xcc
// Calls from here on reach the kernel.
allowed:
// tmrec_agent_syscall(number, args)
	.global	tmrec_agent_syscall
	.hidden	tmrec_agent_syscall
tmrec_agent_syscall:
	mov	%rdi, %rax
	load_arguments
	syscall
	ret

// tmrec_agent_wait(number, args, state, result): a call for which the task needs no baton.
	.global	tmrec_agent_wait
	.hidden	tmrec_agent_wait
tmrec_agent_wait:
	push	%rbx
	push	%rbp
	mov	%rdx, %rbx
	mov	%rcx, %rbp
	mov	%rdi, %rax
	load_arguments
	syscall
waited:	mov	%rax, (%rbp)
	movl	$kReturned, (%rbx)
waited_end:
	pop	%rbp
	pop	%rbx
	ret

// A call for the supervisor, which has saved the program's registers in the area. It takes the task back when the call is
// done; when it was killed meanwhile, the task goes back by itself.
remote_call:
	syscall
	go_back	kSaved

// Several of them (layout.h, ScriptCall), without a stop in between.
script:
	mov	%gs:kSelf, %rbx
	lea	kScript(%rbx), %rbx
1:	mov	(%rbx), %rax
	cmp	$-1, %rax
	je	script_asks
	lea	8(%rbx), %rsi
	load_arguments
	syscall
	mov	%rax, 56(%rbx)
	lea	64(%rbx), %rbx
	cmp	$-4096, %rax
	jbe	1b
	jmp	script_asks
go_back_behind_script:
	go_back	kScripted

// SIGSYS, with nobody to see it first: from now on the task's calls reach the kernel, this one as well, unless the
// supervisor had taken the task elsewhere before it was killed. From a question it goes back to the program here, before
// the handler of another signal can use the area. (Offsets: siginfo_t, struct ucontext of the kernel.)
on_sigsys:
	cmpl	$2, 8(%rsi)			// si_code: SYS_USER_DISPATCH
	jne	1f
	movb	$0, %gs:kDispatch
	movl	$0, %gs:kBuffers
	movabs	$kRing + kBaton, %rax
	movl	$kLetGo, (%rax)
	mov	16(%rsi), %rax			// si_call_addr
	cmp	%rax, 168(%rdx)			// rip
	jne	1f
	.irp	question, ticked, special_asked, call_asked, returned
	lea	\question(%rip), %rcx
	cmp	%rcx, %rax
	je	2f
	.endr
	subq	$2, 168(%rdx)
	movslq	24(%rsi), %rax			// si_syscall
	mov	%rax, 144(%rdx)			// rax
	jmp	3f
2:	mov	%gs:kScratchR11, %rax
	mov	%rax, 64(%rdx)
	mov	%gs:kScratchRax, %rax
	mov	%rax, 144(%rdx)
	mov	%gs:kScratchRcx, %rax
	mov	%rax, 152(%rdx)
	mov	%gs:kResume, %rax
	mov	%rax, 168(%rdx)
3:	untrap_tsc
1:	ret
restorer:
	mov	$15, %eax			// rt_sigreturn
	syscall
allowed_end:

	.balign	16, 0xcc
// tmrec_agent_copy(to, from, size): how many bytes could not be copied. The supervisor ends the copy at copy_failed when
// an address is bad.
	.global	tmrec_agent_copy
	.hidden	tmrec_agent_copy
tmrec_agent_copy:
	mov	%rdx, %rcx
tmrec_agent_copy_at:
	rep movsb
copy_failed:
	mov	%rcx, %rax
	ret

	.section .note.GNU-stack, "", @progbits
