/* SPDX-License-Identifier: MIT
 *
 * switch_aarch64.S - AAPCS64, section 6.1: x19-x29, sp and the low halves of v8-v15 belong to the
 * caller; so does fpcr.
 *
 * A saved stack, from its top: fpcr, (unused), x19-x30, d8-d15: 176 bytes.
 */
	.text

	.globl	belay__context_switch
	.hidden	belay__context_switch
	.type	belay__context_switch, %function
	.p2align 4
belay__context_switch:
	.cfi_startproc
	sub	sp, sp, #176
	.cfi_adjust_cfa_offset 176
	mrs	x9, fpcr
	str	x9, [sp]
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	stp	x29, x30, [sp, #96]
	stp	d8, d9, [sp, #112]
	stp	d10, d11, [sp, #128]
	stp	d12, d13, [sp, #144]
	stp	d14, d15, [sp, #160]
	mov	x9, sp
	str	x9, [x0]
	ldr	x9, [x1]
	mov	sp, x9
	ldr	x9, [sp]
	msr	fpcr, x9
	ldp	x19, x20, [sp, #16]
	ldp	x21, x22, [sp, #32]
	ldp	x23, x24, [sp, #48]
	ldp	x25, x26, [sp, #64]
	ldp	x27, x28, [sp, #80]
	ldp	x29, x30, [sp, #96]
	ldp	d8, d9, [sp, #112]
	ldp	d10, d11, [sp, #128]
	ldp	d12, d13, [sp, #144]
	ldp	d14, d15, [sp, #160]
	add	sp, sp, #176
	.cfi_adjust_cfa_offset -176
	ret
	.cfi_endproc
	.size	belay__context_switch, . - belay__context_switch

/* Where a new stack begins: entry in x19, its argument in x20. No caller: unwinders stop here. */
	.type	begin, %function
	.p2align 4
begin:
	.cfi_startproc
	.cfi_undefined x30
	mov	x29, xzr
	mov	x0, x20
	blr	x19
	brk	#1
	.cfi_endproc
	.size	begin, . - begin

/* belay__context_init(context, low, size, entry, arg) */
	.globl	belay__context_init
	.hidden	belay__context_init
	.type	belay__context_init, %function
	.p2align 4
belay__context_init:
	.cfi_startproc
	add	x9, x1, x2
	and	x9, x9, #-16
	sub	x9, x9, #176
	mrs	x10, fpcr
	str	x10, [x9]
	stp	x3, x4, [x9, #16]
	stp	xzr, xzr, [x9, #32]
	stp	xzr, xzr, [x9, #48]
	stp	xzr, xzr, [x9, #64]
	stp	xzr, xzr, [x9, #80]
	adr	x10, begin
	stp	xzr, x10, [x9, #96]
	stp	xzr, xzr, [x9, #112]
	stp	xzr, xzr, [x9, #128]
	stp	xzr, xzr, [x9, #144]
	stp	xzr, xzr, [x9, #160]
	str	x9, [x0]
	ret
	.cfi_endproc
	.size	belay__context_init, . - belay__context_init

/* belay__control_get(control) */
	.globl	belay__control_get
	.hidden	belay__control_get
	.type	belay__control_get, %function
	.p2align 4
belay__control_get:
	.cfi_startproc
	mrs	x9, fpcr
	str	x9, [x0]
	ret
	.cfi_endproc
	.size	belay__control_get, . - belay__control_get

	.globl	belay__control_set
	.hidden	belay__control_set
	.type	belay__control_set, %function
	.p2align 4
belay__control_set:
	.cfi_startproc
	ldr	x9, [x0]
	msr	fpcr, x9
	ret
	.cfi_endproc
	.size	belay__control_set, . - belay__control_set

	.section .note.GNU-stack, "", %progbits
