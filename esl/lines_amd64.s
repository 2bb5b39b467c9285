//go:build !purego

#include "textflag.h"

// func indexLines(text *byte, size, at int, tags, offsets *byte, most, until int) (n, next int)
//
// SI is the text and CX its size, DI the tags, R10 the offsets, R11 most and R15 until.
// BX is where the 64 bytes at hand start, AX has a bit for each line break in them; R8 is
// where the line at hand starts, R9 how many were added. X0 is line breaks, X1 colons.
TEXT ·indexLines(SB), NOSPLIT, $0-72
	MOVQ text+0(FP), SI
	MOVQ size+8(FP), CX
	MOVQ at+16(FP), BX
	MOVQ tags+24(FP), DI
	MOVQ offsets+32(FP), R10
	MOVQ most+40(FP), R11
	MOVQ until+48(FP), R15
	MOVQ BX, R8
	XORQ R9, R9
	MOVQ $0x0a0a0a0a0a0a0a0a, AX
	MOVQ AX, X0
	PUNPCKLQDQ X0, X0
	MOVQ $0x3a3a3a3a3a3a3a3a, AX
	MOVQ AX, X1
	PUNPCKLQDQ X1, X1

block:
	CMPQ BX, CX
	JGE  done
	MOVOU 0(SI)(BX*1), X2
	MOVOU 16(SI)(BX*1), X3
	MOVOU 32(SI)(BX*1), X4
	MOVOU 48(SI)(BX*1), X5
	PCMPEQB X0, X2
	PCMPEQB X0, X3
	PCMPEQB X0, X4
	PCMPEQB X0, X5
	PMOVMSKB X2, AX
	PMOVMSKB X3, DX
	PMOVMSKB X4, R13
	PMOVMSKB X5, R12
	SHLQ $16, DX
	SHLQ $32, R13
	SHLQ $48, R12
	ORQ  DX, AX
	ORQ  R12, R13
	ORQ  R13, AX
	JZ   next

line:
	// Where a processor has no TZCNT, it carries out BSF: for what is not zero, the same.
	TZCNTQ AX, R13
	LEAQ -1(AX), DX
	ANDQ DX, AX
	LEAQ 1(BX)(R13*1), R13 // where the next line starts
	CMPQ R13, CX
	JGT  done              // a line break behind the text
	MOVQ R13, DX
	SUBQ R8, DX
	CMPQ DX, $2
	JLE  done
	MOVW R8, (R10)(R9*2)

	// The length of the name, 32 at most, to DX.
	MOVOU 0(SI)(R8*1), X2
	MOVOU 16(SI)(R8*1), X3
	PCMPEQB X1, X2
	PCMPEQB X1, X3
	PMOVMSKB X2, DX
	PMOVMSKB X3, R12
	SHLQ $16, R12
	ORQ  R12, DX
	BTSQ $32, DX
	TZCNTQ DX, DX

	// Its tag, see tagOf.
	MOVQ DX, R12
	SHRQ $1, R12
	ADDQ R8, R12
	MOVWLZX (SI)(R12*1), R12
	ORL  $0x2020, R12
	IMUL3L $6915, R12, R12
	IMUL3L $9472, DX, DX
	ADDL R12, DX
	SHRL $8, DX
	MOVBLZX DX, DX
	MOVB DX, (DI)(R9*1)

	INCQ R9
	MOVQ R13, R8
	CMPQ DX, R15
	JEQ  done
	CMPQ R9, R11
	JGE  done
	TESTQ AX, AX
	JNZ  line

next:
	ADDQ $64, BX
	JMP  block

done:
	MOVQ R9, n+56(FP)
	MOVQ R8, next+64(FP)
	RET
