# Functions whose ticks can be counted by hand. long f(long n), n > 0.
	.text
	.macro function name
	.globl \name
	.type \name, @function
	.p2align 4
\name:
	.cfi_startproc
	.endm
	.macro done name
	.cfi_endproc
	.size \name, . - \name
	.endm

# n - 1 ticks; a short back edge behind the instruction that sets its flags. Returns n * (n + 1) / 2.
function sum_down
	xor %eax, %eax
1:	add %rdi, %rax
	dec %rdi
	jnz 1b
	ret
done sum_down

# n - 1 ticks; one instruction, an entry before and a return behind.
function one_instruction
	mov %rdi, %rax
	neg %rdi
	jmp 1f
	nop
1:	inc %rdi
	jnz 1b
	ret
done one_instruction

# n - 1 ticks; `loop` has an 8-bit displacement only.
function with_loop
	mov %rdi, %rcx
	xor %eax, %eax
1:	add %rcx, %rax
	loop 1b
	ret
done with_loop

# n ticks: ZF is read at the target, so counting must preserve it.
function flags_live
	xor %eax, %eax
	test %rdi, %rdi
1:	je 2f
	inc %rax
	dec %rdi
	jmp 1b
2:	ret
done flags_live

# n - 1 ticks: carry lives through the loop. Returns n.
function carry
	xor %eax, %eax
	stc
1:	adc $0, %rax
	stc
	dec %rdi
	jnz 1b
	ret
done carry

# n ticks: recursion without a loop. Returns n.
function recurse
	test %rdi, %rdi
	jz 1f
	dec %rdi
	call recurse
	inc %rax
	ret
1:	xor %eax, %eax
	ret
done recurse

# n ticks: recursion through a pointer, without a loop. Returns n.
function by_pointer
0:	test %rdi, %rdi
	jz 1f
	dec %rdi
	lea 0b(%rip), %rdx
	call *%rdx
	inc %rax
	ret
1:	xor %eax, %eax
	ret
done by_pointer

# n ticks: likewise, but in front of the call there is another one, and room for a tick only in front of that.
function behind_call
0:	test %rdi, %rdi
	jz 1f
	lea 0b(%rip), %rdx
	dec %rdi
	call nothing
	call *%rdx
	inc %rax
	ret
1:	xor %eax, %eax
	ret
done behind_call
function does_nothing
nothing:
	ret
done does_nothing

# n / 2 ticks: of two functions that call each other, one is counted. Returns n.
function even
even_n:	test %rdi, %rdi
	jz 1f
	dec %rdi
	call odd_n
	inc %rax
	ret
1:	xor %eax, %eax
	ret
done even
function odd
odd_n:	test %rdi, %rdi
	jz 1f
	dec %rdi
	call even_n
	inc %rax
	ret
1:	xor %eax, %eax
	ret
done odd

# n - 1 ticks: a way out leads into the padding behind the function, and so to the next one, which calls it. Returns n.
function way_out
out_n:	dec %rdi
	jnz behind
	mov $1, %eax
	ret
done way_out
behind:	nop
function out_again
	call out_n
	inc %rax
	ret
done out_again

# No tick: what leads backward never comes round. Returns n + 2.
function backward_only
	mov %rdi, %rax
	test %rdi, %rdi
	jmp 2f
1:	add $2, %rax
	ret
2:	jnz 1b
	ret
done backward_only

# 3 * n ticks: a table of 32-bit offsets, three cases each time round. Returns 6 * n.
function dispatch
	push %rbx
	.cfi_adjust_cfa_offset 8
	xor %eax, %eax
	xor %edx, %edx
	lea table(%rip), %rsi
next:	movslq (%rsi,%rdx,4), %rbx
	add %rsi, %rbx
	jmp *%rbx
case0:	inc %rax
	mov $1, %edx
	movslq (%rsi,%rdx,4), %rbx
	add %rsi, %rbx
	jmp *%rbx
case1:	add $2, %rax
	mov $2, %edx
	movslq (%rsi,%rdx,4), %rbx
	add %rsi, %rbx
	jmp *%rbx
case2:	add $3, %rax
	xor %edx, %edx
	dec %rdi
	jz out
	movslq (%rsi,%rdx,4), %rbx
	add %rsi, %rbx
	jmp *%rbx
out:	pop %rbx
	.cfi_adjust_cfa_offset -8
	ret
done dispatch

# n ticks: the jump by a table or the way past it, not what leads back from both. Returns n.
function guarded
	xor %eax, %eax
	lea guarded_table(%rip), %rsi
1:	test %rdi, %rdi
	jz 3f
	mov %edi, %edx
	and $3, %edx
	dec %rdi
	cmp $1, %edx
	{disp32} ja 2f
	movslq (%rsi,%rdx,4), %rdx
	add %rsi, %rdx
	jmp *%rdx
guarded0:
	nop
	{disp32} jmp 2f
guarded1:
	nop
2:	inc %rax
	{disp32} jmp 1b
3:	ret
done guarded

# n ticks: a call through a pointer in a loop, which is not counted itself. Returns n.
function calls_in_loop
	push %rbx
	.cfi_adjust_cfa_offset 8
	mov %rdi, %rbx
	xor %eax, %eax
1:	lea increment_rax(%rip), %rdx
	call *%rdx
	dec %rbx
	jnz 1b
	pop %rbx
	.cfi_adjust_cfa_offset -8
	ret
done calls_in_loop
function increment
increment_rax:
	inc %rax
	ret
done increment

# n - 1 ticks: of two functions that call each other, the one in a loop is not counted. Returns n.
function seldom_back
seldom:	inc %rax
	js 1f
	ret
1:	call often
	ret
done seldom_back
function often_there
often:	push %rbx
	.cfi_adjust_cfa_offset 8
	mov %rdi, %rbx
	xor %eax, %eax
1:	call seldom
	dec %rbx
	jnz 1b
	pop %rbx
	.cfi_adjust_cfa_offset -8
	ret
done often_there

# n * (n - 1) / 2 + n - 1 ticks: the inner loop branches within itself, leaves early and reads memory relative to rip.
function nested
	xor %eax, %eax
	mov %rdi, %rcx
1:	mov %rcx, %rdx
2:	test $1, %dl
	jz 3f
	add one(%rip), %rax
	jmp 4f
3:	add $2, %rax
4:	cmp $-7, %rdx
	je 5f
	dec %rdx
	jns 2b
5:	dec %rcx
	jnz 1b
	ret
done nested

# n - 1 ticks, and n syscalls that must be performed (getppid).
function syscalls
	push %rbx
	.cfi_adjust_cfa_offset 8
	mov %rdi, %rbx
1:	mov $110, %eax
	syscall
	dec %rbx
	jnz 1b
	pop %rbx
	.cfi_adjust_cfa_offset -8
	ret
done syscalls

	.section .rodata
	.p2align 3
one:	.quad 1
guarded_table:
	.long guarded0 - guarded_table, guarded1 - guarded_table
table:	.long case0 - table, case1 - table, case2 - table
	.section .note.GNU-stack, "", @progbits
