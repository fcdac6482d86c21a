/* SPDX-License-Identifier: MIT
 *
 * switch_riscv64.S - RISC-V ELF psABI, section 1 (LP64D): s0-s11, fs0-fs11 and sp belong to the
 * caller; so does the rounding mode in fcsr.
 *
 * A saved stack, from its top: fcsr, ra, s0-s11, fs0-fs11: 208 bytes.
 */
	.text

	.globl	belay__context_switch
	.hidden	belay__context_switch
	.type	belay__context_switch, @function
	.p2align 2
belay__context_switch:
	.cfi_startproc
	addi	sp, sp, -208
	.cfi_adjust_cfa_offset 208
	frcsr	t0
	sd	t0, 0(sp)
	sd	ra, 8(sp)
	sd	s0, 16(sp)
	sd	s1, 24(sp)
	sd	s2, 32(sp)
	sd	s3, 40(sp)
	sd	s4, 48(sp)
	sd	s5, 56(sp)
	sd	s6, 64(sp)
	sd	s7, 72(sp)
	sd	s8, 80(sp)
	sd	s9, 88(sp)
	sd	s10, 96(sp)
	sd	s11, 104(sp)
	fsd	fs0, 112(sp)
	fsd	fs1, 120(sp)
	fsd	fs2, 128(sp)
	fsd	fs3, 136(sp)
	fsd	fs4, 144(sp)
	fsd	fs5, 152(sp)
	fsd	fs6, 160(sp)
	fsd	fs7, 168(sp)
	fsd	fs8, 176(sp)
	fsd	fs9, 184(sp)
	fsd	fs10, 192(sp)
	fsd	fs11, 200(sp)
	sd	sp, 0(a0)
	ld	sp, 0(a1)
	ld	t0, 0(sp)
	fscsr	t0
	ld	ra, 8(sp)
	ld	s0, 16(sp)
	ld	s1, 24(sp)
	ld	s2, 32(sp)
	ld	s3, 40(sp)
	ld	s4, 48(sp)
	ld	s5, 56(sp)
	ld	s6, 64(sp)
	ld	s7, 72(sp)
	ld	s8, 80(sp)
	ld	s9, 88(sp)
	ld	s10, 96(sp)
	ld	s11, 104(sp)
	fld	fs0, 112(sp)
	fld	fs1, 120(sp)
	fld	fs2, 128(sp)
	fld	fs3, 136(sp)
	fld	fs4, 144(sp)
	fld	fs5, 152(sp)
	fld	fs6, 160(sp)
	fld	fs7, 168(sp)
	fld	fs8, 176(sp)
	fld	fs9, 184(sp)
	fld	fs10, 192(sp)
	fld	fs11, 200(sp)
	addi	sp, sp, 208
	.cfi_adjust_cfa_offset -208
	ret
	.cfi_endproc
	.size	belay__context_switch, . - belay__context_switch

/* Where a new stack begins: entry in s1, its argument in s2. No caller: unwinders stop here. */
	.type	begin, @function
	.p2align 2
begin:
	.cfi_startproc
	.cfi_undefined ra
	li	s0, 0
	mv	a0, s2
	jalr	s1
	ebreak
	.cfi_endproc
	.size	begin, . - begin

/* belay__context_init(context, low, size, entry, arg) */
	.globl	belay__context_init
	.hidden	belay__context_init
	.type	belay__context_init, @function
	.p2align 2
belay__context_init:
	.cfi_startproc
	add	t0, a1, a2
	andi	t0, t0, -16
	addi	t0, t0, -208
	frcsr	t1
	sd	t1, 0(t0)
	lla	t1, begin
	sd	t1, 8(t0)
	sd	zero, 16(t0)
	sd	a3, 24(t0)
	sd	a4, 32(t0)
	sd	t0, 0(a0)
	ret
	.cfi_endproc
	.size	belay__context_init, . - belay__context_init

/* belay__control_get(control): frm alone; the flags beside it in fcsr are no control words. */
	.globl	belay__control_get
	.hidden	belay__control_get
	.type	belay__control_get, @function
	.p2align 2
belay__control_get:
	.cfi_startproc
	frrm	t0
	sd	t0, 0(a0)
	ret
	.cfi_endproc
	.size	belay__control_get, . - belay__control_get

	.globl	belay__control_set
	.hidden	belay__control_set
	.type	belay__control_set, @function
	.p2align 2
belay__control_set:
	.cfi_startproc
	ld	t0, 0(a0)
	fsrm	t0
	ret
	.cfi_endproc
	.size	belay__control_set, . - belay__control_set

	.section .note.GNU-stack, "", @progbits
