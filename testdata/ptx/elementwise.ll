; y = a·x + y on f32 with a guarded tail; z = x·x + x on pairs of bf16; w = exp2(x) on f16.
target triple = "nvptx64-nvidia-cuda"
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
declare float @llvm.fma.f32(float, float, float)
declare <2 x bfloat> @llvm.fma.v2bf16(<2 x bfloat>, <2 x bfloat>, <2 x bfloat>)
declare float @llvm.nvvm.ex2.approx.ftz.f(float)

define internal i32 @index() alwaysinline {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %b = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  %d = call i32 @llvm.nvvm.read.ptx.sreg.ntid.x()
  %m = mul i32 %b, %d
  %i = add i32 %m, %t
  ret i32 %i
}

define ptx_kernel void @axpy(float %a, ptr addrspace(1) noalias readonly %x, ptr addrspace(1) noalias %y, i32 %n) !dbg !5 {
  %i = call i32 @index(), !dbg !6
  %in = icmp slt i32 %i, %n, !dbg !6
  br i1 %in, label %go, label %end, !dbg !6
go:
  %i64 = sext i32 %i to i64
  %px = getelementptr float, ptr addrspace(1) %x, i64 %i64
  %py = getelementptr float, ptr addrspace(1) %y, i64 %i64
  %vx = load float, ptr addrspace(1) %px, !invariant.load !0, !dbg !7
  %vy = load float, ptr addrspace(1) %py, !dbg !7
  %r = call float @llvm.fma.f32(float %a, float %vx, float %vy)
  store float %r, ptr addrspace(1) %py, !dbg !8
  br label %end
end:
  ret void
}

define ptx_kernel void @square_bf16(ptr addrspace(1) noalias readonly %x, ptr addrspace(1) noalias %y) {
  %i = call i32 @index()
  %i64 = sext i32 %i to i64
  %px = getelementptr <4 x i32>, ptr addrspace(1) %x, i64 %i64
  %py = getelementptr <4 x i32>, ptr addrspace(1) %y, i64 %i64
  %v = load <8 x bfloat>, ptr addrspace(1) %px, align 16
  %a = shufflevector <8 x bfloat> %v, <8 x bfloat> undef, <2 x i32> <i32 0, i32 1>
  %b = shufflevector <8 x bfloat> %v, <8 x bfloat> undef, <2 x i32> <i32 2, i32 3>
  %c = shufflevector <8 x bfloat> %v, <8 x bfloat> undef, <2 x i32> <i32 4, i32 5>
  %d = shufflevector <8 x bfloat> %v, <8 x bfloat> undef, <2 x i32> <i32 6, i32 7>
  %e = call <2 x bfloat> @llvm.fma.v2bf16(<2 x bfloat> %a, <2 x bfloat> %a, <2 x bfloat> %a)
  %f = call <2 x bfloat> @llvm.fma.v2bf16(<2 x bfloat> %b, <2 x bfloat> %b, <2 x bfloat> %b)
  %g = call <2 x bfloat> @llvm.fma.v2bf16(<2 x bfloat> %c, <2 x bfloat> %c, <2 x bfloat> %c)
  %h = call <2 x bfloat> @llvm.fma.v2bf16(<2 x bfloat> %d, <2 x bfloat> %d, <2 x bfloat> %d)
  %k = shufflevector <2 x bfloat> %e, <2 x bfloat> %f, <4 x i32> <i32 0, i32 1, i32 2, i32 3>
  %l = shufflevector <2 x bfloat> %g, <2 x bfloat> %h, <4 x i32> <i32 0, i32 1, i32 2, i32 3>
  %r = shufflevector <4 x bfloat> %k, <4 x bfloat> %l, <8 x i32> <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  store <8 x bfloat> %r, ptr addrspace(1) %py, align 16
  ret void
}

define ptx_kernel void @exp2_f16(ptr addrspace(1) noalias readonly %x, ptr addrspace(1) noalias %y, i32 %n) {
  %i = call i32 @index()
  %in = icmp slt i32 %i, %n
  br i1 %in, label %go, label %end
go:
  %i64 = sext i32 %i to i64
  %px = getelementptr half, ptr addrspace(1) %x, i64 %i64
  %py = getelementptr half, ptr addrspace(1) %y, i64 %i64
  %h = load half, ptr addrspace(1) %px
  %f = fpext half %h to float
  %e = call float @llvm.nvvm.ex2.approx.ftz.f(float %f)
  %r = fptrunc float %e to half
  store half %r, ptr addrspace(1) %py
  br label %end
end:
  ret void
}

!llvm.dbg.cu = !{!1}
!llvm.module.flags = !{!3, !4}
!0 = !{}
!1 = distinct !DICompileUnit(language: DW_LANG_C, file: !2, emissionKind: DebugDirectivesOnly)
!2 = !DIFile(filename: "axpy.mdl", directory: "models")
!3 = !{i32 2, !"Debug Info Version", i32 3}
!4 = !{i32 2, !"Dwarf Version", i32 4}
!5 = distinct !DISubprogram(name: "axpy", file: !2, line: 10, type: !9, unit: !1, spFlags: DISPFlagDefinition)
!6 = !DILocation(line: 11, column: 3, scope: !5)
!7 = !DILocation(line: 12, column: 3, scope: !5)
!8 = !DILocation(line: 13, column: 3, scope: !5)
!9 = !DISubroutineType(types: !0)
