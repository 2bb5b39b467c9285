//go:build !purego

#include "textflag.h"

// FILL repeats a byte sixteen times in x. It uses AX.
#define FILL(byte, x) \
	MOVQ $(0x0101010101010101*byte), AX; \
	MOVQ AX, x; \
	PUNPCKLQDQ x, x

// MATCH64 sets a bit of AX for each of the 64 bytes at p that is the byte in x. It uses DX,
// R12, R13 and X2 to X5.
#define MATCH64(p, x) \
	MOVOU 0(p), X2; \
	MOVOU 16(p), X3; \
	MOVOU 32(p), X4; \
	MOVOU 48(p), X5; \
	PCMPEQB x, X2; \
	PCMPEQB x, X3; \
	PCMPEQB x, X4; \
	PCMPEQB x, X5; \
	PMOVMSKB X2, AX; \
	PMOVMSKB X3, DX; \
	PMOVMSKB X4, R13; \
	PMOVMSKB X5, R12; \
	SHLQ $16, DX; \
	SHLQ $32, R13; \
	SHLQ $48, R12; \
	ORQ  DX, AX; \
	ORQ  R12, R13; \
	ORQ  R13, AX

// BITS32 sets a bit of DX for each byte of low and high that has its first bit set, as
// those have that a comparison found equal. It uses R12.
#define BITS32(low, high) \
	PMOVMSKB low, DX; \
	PMOVMSKB high, R12; \
	SHLQ $16, R12; \
	ORQ  R12, DX

// TAG makes the tag of a name (see tagOf) at p, with a bit in DX for each colon, and one
// for the end at the latest. Where a processor has no TZCNT, it carries out BSF: for what
// is not zero, the same. It uses R12.
#define TAG(p) \
	TZCNTQ DX, DX; \
	MOVQ DX, R12; \
	SHRQ $1, R12; \
	MOVWLZX (p)(R12*1), R12; \
	ORL  $0x2020, R12; \
	IMUL3L $6915, R12, R12; \
	IMUL3L $9472, DX, DX; \
	ADDL R12, DX; \
	SHRL $8, DX; \
	MOVBLZX DX, DX

// func indexLines(text *byte, size, at int, tags, offsets *byte, most, until int) (n, next int)
//
// SI is the text and CX its size, DI the tags, R10 the offsets, R11 most and R15 until.
// BX is where the 64 bytes at hand start, AX has a bit for each line break in them; R8 is
// where the line at hand starts, R9 how many were added. X0 is line breaks, X1 colons.
TEXT ·indexLines(SB), NOSPLIT, $0-72
	FILL(0x0a, X0)
	FILL(0x3a, X1)
	MOVQ text+0(FP), SI
	MOVQ size+8(FP), CX
	MOVQ at+16(FP), BX
	MOVQ tags+24(FP), DI
	MOVQ offsets+32(FP), R10
	MOVQ most+40(FP), R11
	MOVQ until+48(FP), R15
	MOVQ BX, R8
	XORQ R9, R9

block:
	CMPQ BX, CX
	JGE  done
	LEAQ (SI)(BX*1), R13
	MATCH64(R13, X0)
	JZ   next

line:
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

	ADDQ SI, R8
	MOVOU 0(R8), X2
	MOVOU 16(R8), X3
	PCMPEQB X1, X2
	PCMPEQB X1, X3
	BITS32(X2, X3)
	BTSQ $32, DX
	TAG(R8)
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

// func findLine(text, tags, offsets *byte, count, next int, name *byte, n int) (from, to, escapes int)
//
// SI is the text, DI the name and CX its length, X6 and X7 its first 32 bytes, R15 has a
// bit for each of them; R10 is the offsets, R11 count. AX has a bit for each line with the
// name's tag, R9 is the number of the one at hand, R8 where it starts.
TEXT ·findLine(SB), NOSPLIT, $0-80
	MOVQ name+40(FP), DI
	MOVQ n+48(FP), CX
	MOVOU 0(DI), X6
	MOVOU 16(DI), X7
	FILL(0x3a, X2)
	MOVO X2, X3
	PCMPEQB X6, X2
	PCMPEQB X7, X3
	BITS32(X2, X3)
	BTSQ CX, DX
	TAG(DI)

	// Which of the lines have it.
	MOVQ $0x0101010101010101, AX
	IMULQ DX, AX
	MOVQ AX, X0
	PUNPCKLQDQ X0, X0
	MOVQ tags+8(FP), BX
	MATCH64(BX, X0)
	MOVQ count+24(FP), R11
	MOVQ $64, CX
	SUBQ R11, CX
	MOVQ $-1, DX
	SHRQ CX, DX
	ANDQ DX, AX

	MOVQ text+0(FP), SI
	MOVQ offsets+16(FP), R10
	MOVQ n+48(FP), CX
	MOVQ $1, R15
	SHLQ CX, R15
	DECQ R15

candidate:
	TESTQ AX, AX
	JZ   none
	TZCNTQ AX, R9
	LEAQ -1(AX), DX
	ANDQ DX, AX
	MOVWLZX (R10)(R9*2), R8
	LEAQ (SI)(R8*1), BX
	CMPB (BX)(CX*1), $0x3a
	JNE  candidate
	CMPB 1(BX)(CX*1), $0x20
	JNE  unsure // a value does not need the space

	MOVOU 0(BX), X2
	MOVOU 16(BX), X3
	PXOR X6, X2
	PXOR X7, X3
	PXOR X0, X0
	MOVO X2, X4
	MOVO X3, X5
	PCMPEQB X0, X2
	PCMPEQB X0, X3
	BITS32(X2, X3)
	NOTQ DX
	TESTQ R15, DX
	JZ   found

	// It may be the same name but for its case, if no byte differs in another bit.
	MOVQ $0xdfdfdfdfdfdfdfdf, DX
	MOVQ DX, X2
	PUNPCKLQDQ X2, X2
	PAND X2, X4
	PAND X2, X5
	PCMPEQB X0, X4
	PCMPEQB X0, X5
	BITS32(X4, X5)
	NOTQ DX
	TESTQ R15, DX
	JNZ  candidate

unsure:
	MOVQ $-2, from+56(FP)
	RET

none:
	MOVQ $-1, from+56(FP)
	RET

found:
	LEAQ 2(R8)(CX*1), R8 // where the value starts
	MOVQ next+32(FP), CX
	INCQ R9
	CMPQ R9, R11
	JGE  last
	MOVWLZX (R10)(R9*2), CX

last:
	DECQ CX // where it ends, at a line break
	CMPB -1(SI)(CX*1), $0x0d
	JNE  ended
	DECQ CX

ended:
	MOVQ R8, from+56(FP)
	MOVQ CX, to+64(FP)
	MOVQ $1, escapes+72(FP)
	SUBQ R8, CX
	JLT  unsure // the name goes beyond the line
	CMPQ CX, $64
	JGE  long
	FILL(0x25, X0)
	ADDQ SI, R8
	MATCH64(R8, X0)
	MOVQ $1, R15
	SHLQ CX, R15
	DECQ R15
	ANDQ R15, AX
	MOVQ AX, escapes+72(FP)

long:
	RET
