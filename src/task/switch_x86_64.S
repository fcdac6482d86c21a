/* SPDX-License-Identifier: MIT
 *
 * switch_x86_64.S - System V AMD64 psABI, section 3.2.1: rbx, rbp, r12-r15, the x87 control word
 * and mxcsr's control bits belong to the caller.
 *
 * A saved stack, from its top: mxcsr and control word (8 bytes), r15, r14, r13, r12, rbx, rbp,
 * return address. The words are loaded only where they differ (but for mxcsr's flags, its lowest
 * six bits, which belong to nobody): loading them takes as long as all the rest.
 */
	.text

	.globl	belay__context_switch
	.hidden	belay__context_switch
	.type	belay__context_switch, @function
	.p2align 4
belay__context_switch:
	.cfi_startproc
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	pushq	%r12
	.cfi_adjust_cfa_offset 8
	pushq	%r13
	.cfi_adjust_cfa_offset 8
	pushq	%r14
	.cfi_adjust_cfa_offset 8
	pushq	%r15
	.cfi_adjust_cfa_offset 8
	subq	$8, %rsp
	.cfi_adjust_cfa_offset 8
	stmxcsr	(%rsp)
	fnstcw	4(%rsp)
	movl	(%rsp), %eax
	movzwl	4(%rsp), %ecx
	movq	%rsp, (%rdi)
	movq	(%rsi), %rsp
	xorl	(%rsp), %eax
	xorw	4(%rsp), %cx
	andl	$0xffffffc0, %eax
	orl	%ecx, %eax
	jnz	1f
2:	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	popq	%r15
	.cfi_adjust_cfa_offset -8
	popq	%r14
	.cfi_adjust_cfa_offset -8
	popq	%r13
	.cfi_adjust_cfa_offset -8
	popq	%r12
	.cfi_adjust_cfa_offset -8
	popq	%rbx
	.cfi_adjust_cfa_offset -8
	popq	%rbp
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_adjust_cfa_offset 56
1:	ldmxcsr	(%rsp)
	fldcw	4(%rsp)
	jmp	2b
	.cfi_endproc
	.size	belay__context_switch, . - belay__context_switch

/* Where a new stack begins: entry in r12, its argument in r13. No caller: unwinders stop here. */
	.type	begin, @function
	.p2align 4
begin:
	.cfi_startproc
	.cfi_undefined rip
	xorl	%ebp, %ebp
	movq	%r13, %rdi
	call	*%r12
	ud2
	.cfi_endproc
	.size	begin, . - begin

/* belay__context_init(context, low, size, entry, arg) */
	.globl	belay__context_init
	.hidden	belay__context_init
	.type	belay__context_init, @function
	.p2align 4
belay__context_init:
	.cfi_startproc
	leaq	(%rsi, %rdx), %rax
	andq	$-16, %rax
	subq	$80, %rax
	stmxcsr	(%rax)
	fnstcw	4(%rax)
	movq	$0, 8(%rax)
	movq	$0, 16(%rax)
	movq	%r8, 24(%rax)
	movq	%rcx, 32(%rax)
	movq	$0, 40(%rax)
	movq	$0, 48(%rax)
	leaq	begin(%rip), %rcx
	movq	%rcx, 56(%rax)
	movq	%rax, (%rdi)
	ret
	.cfi_endproc
	.size	belay__context_init, . - belay__context_init

/* belay__control_get(control): mxcsr, then the x87 control word. */
	.globl	belay__control_get
	.hidden	belay__control_get
	.type	belay__control_get, @function
	.p2align 4
belay__control_get:
	.cfi_startproc
	stmxcsr	(%rdi)
	fnstcw	4(%rdi)
	ret
	.cfi_endproc
	.size	belay__control_get, . - belay__control_get

	.globl	belay__control_set
	.hidden	belay__control_set
	.type	belay__control_set, @function
	.p2align 4
belay__control_set:
	.cfi_startproc
	ldmxcsr	(%rdi)
	fldcw	4(%rdi)
	ret
	.cfi_endproc
	.size	belay__control_set, . - belay__control_set

	.section .note.GNU-stack, "", @progbits
