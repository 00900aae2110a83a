; Every intrinsic of NVPTX that the compiler may use, once each: their text must be understood.
target triple = "nvptx64-nvidia-cuda"
@sh = internal addrspace(3) global [4096 x i8] undef, align 1024
@mb = internal addrspace(3) global [8 x i64] undef, align 8
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.laneid()
declare i32 @llvm.nvvm.read.ptx.sreg.warpid()
declare i32 @llvm.nvvm.read.ptx.sreg.lanemask.lt()
declare i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()
declare {float,float,float,float} @llvm.nvvm.mma.m16n8k8.row.col.tf32(i32,i32,i32,i32,i32,i32,float,float,float,float)
declare {float,float,float,float} @llvm.nvvm.mma.m16n8k4.row.col.tf32(i32,i32,i32,float,float,float,float)
declare {float,float,float,float} @llvm.nvvm.mma.m16n8k8.row.col.bf16(i32,i32,i32,float,float,float,float)
declare {float,float,float,float} @llvm.nvvm.mma.m16n8k16.row.col.f32.f32(<2 x half>,<2 x half>,<2 x half>,<2 x half>,<2 x half>,<2 x half>,float,float,float,float)
declare {<2 x half>,<2 x half>} @llvm.nvvm.mma.m16n8k16.row.col.f16.f16(<2 x half>,<2 x half>,<2 x half>,<2 x half>,<2 x half>,<2 x half>,<2 x half>,<2 x half>)
declare {<2 x half>,<2 x half>} @llvm.nvvm.mma.m16n8k8.row.col.f16.f16(<2 x half>,<2 x half>,<2 x half>,<2 x half>,<2 x half>)
declare {i32,i32,i32,i32} @llvm.nvvm.mma.m16n8k32.row.col.s8(i32,i32,i32,i32,i32,i32,i32,i32,i32,i32)
declare {i32,i32,i32,i32} @llvm.nvvm.mma.m16n8k32.row.col.satfinite.s8(i32,i32,i32,i32,i32,i32,i32,i32,i32,i32)
declare {double,double} @llvm.nvvm.mma.m8n8k4.row.col.f64(double,double,double,double)
declare i32 @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x1.b16.p3(ptr addrspace(3))
declare {i32,i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.trans.b16.p3(ptr addrspace(3))
declare {i32,i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.b16.p0(ptr)
declare void @llvm.nvvm.cp.async.ca.shared.global.4(ptr addrspace(3), ptr addrspace(1))
declare void @llvm.nvvm.cp.async.ca.shared.global.8.s(ptr addrspace(3), ptr addrspace(1), i32)
declare void @llvm.nvvm.cp.async.ca.shared.global.16(ptr addrspace(3), ptr addrspace(1))
declare void @llvm.nvvm.cp.async.wait.all()
declare void @llvm.nvvm.cp.async.mbarrier.arrive.noinc.shared(ptr addrspace(3))
declare void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3), i32)
declare void @llvm.nvvm.mbarrier.inval.shared(ptr addrspace(3))
declare i64 @llvm.nvvm.mbarrier.arrive.shared(ptr addrspace(3))
declare i64 @llvm.nvvm.mbarrier.arrive.drop.shared(ptr addrspace(3))
declare void @llvm.nvvm.barrier(i32,i32)
declare void @llvm.nvvm.barrier.n(i32)
declare void @llvm.nvvm.barrier.sync(i32)
declare void @llvm.nvvm.barrier.sync.cnt(i32,i32)
declare void @llvm.nvvm.bar.warp.sync(i32)
declare i32 @llvm.nvvm.barrier0.popc(i32)
declare i32 @llvm.nvvm.barrier0.and(i32)
declare i32 @llvm.nvvm.barrier0.or(i32)
declare i1 @llvm.nvvm.vote.all.sync(i32,i1)
declare i1 @llvm.nvvm.vote.any.sync(i32,i1)
declare i32 @llvm.nvvm.vote.ballot.sync(i32,i1)
declare i32 @llvm.nvvm.match.any.sync.i32(i32,i32)
declare {i32,i1} @llvm.nvvm.match.all.sync.i32p(i32,i32)
declare i32 @llvm.nvvm.redux.sync.add(i32,i32)
declare i32 @llvm.nvvm.redux.sync.umax(i32,i32)
declare i32 @llvm.nvvm.redux.sync.xor(i32,i32)
declare i32 @llvm.nvvm.activemask()
declare {i32,i1} @llvm.nvvm.shfl.sync.down.i32p(i32,i32,i32,i32)
declare i32 @llvm.nvvm.shfl.sync.idx.i32(i32,i32,i32,i32)
declare float @llvm.nvvm.shfl.sync.up.f32(i32,float,i32,i32)
declare void @llvm.nvvm.membar.cta()
declare void @llvm.nvvm.membar.gl()
declare i32 @llvm.nvvm.prmt(i32,i32,i32)
declare float @llvm.nvvm.rcp.approx.ftz.f(float)
declare float @llvm.nvvm.rsqrt.approx.f(float)
declare float @llvm.nvvm.sqrt.approx.f(float)
declare float @llvm.nvvm.sqrt.rn.f(float)
declare float @llvm.nvvm.lg2.approx.f(float)
declare float @llvm.nvvm.sin.approx.f(float)
declare float @llvm.nvvm.cos.approx.ftz.f(float)
declare float @llvm.nvvm.div.approx.f(float,float)
declare float @llvm.nvvm.fma.rz.f(float,float,float)
declare float @llvm.nvvm.add.rm.ftz.f(float,float)
declare float @llvm.nvvm.mul.rp.f(float,float)
declare float @llvm.nvvm.saturate.f(float)
declare float @llvm.nvvm.floor.f(float)
declare float @llvm.nvvm.round.f(float)
declare float @llvm.nvvm.trunc.ftz.f(float)
declare float @llvm.nvvm.fabs.ftz.f(float)
declare i32 @llvm.nvvm.f2i.rm(float)
declare i32 @llvm.nvvm.f2i.rn.ftz(float)
declare i64 @llvm.nvvm.f2ll.rz(float)
declare float @llvm.nvvm.i2f.rz(i32)
declare <2 x bfloat> @llvm.nvvm.ff2bf16x2.rn(float,float)
declare <2 x bfloat> @llvm.nvvm.ff2bf16x2.rn.relu(float,float)
declare <2 x half> @llvm.nvvm.ff2f16x2.rz(float,float)
declare i32 @llvm.nvvm.f2tf32.rna(float)
declare i32 @llvm.nvvm.mulhi.i(i32,i32)
declare i32 @llvm.nvvm.sad.ui(i32,i32,i32)
declare <2 x half> @llvm.nvvm.fma.rn.f16x2(<2 x half>,<2 x half>,<2 x half>)
declare <2 x half> @llvm.nvvm.fma.rn.relu.f16x2(<2 x half>,<2 x half>,<2 x half>)
declare <2 x bfloat> @llvm.nvvm.fma.rn.bf16x2(<2 x bfloat>,<2 x bfloat>,<2 x bfloat>)
declare <2 x half> @llvm.nvvm.fmax.nan.f16x2(<2 x half>,<2 x half>)
declare bfloat @llvm.nvvm.fmin.bf16(bfloat,bfloat)
declare half @llvm.nvvm.ex2.approx.f16(half)
declare <2 x half> @llvm.nvvm.ex2.approx.f16x2(<2 x half>)
declare float @llvm.fabs.f32(float)
declare float @llvm.copysign.f32(float,float)
declare float @llvm.sqrt.f32(float)
declare float @llvm.rint.f32(float)
declare float @llvm.ceil.f32(float)
declare double @llvm.floor.f64(double)
declare i32 @llvm.bswap.i32(i32)
define internal void @sink(i32 %v) noinline { store volatile i32 %v, ptr addrspace(3) @sh
 ret void }
define internal void @sinkf(float %f) { %v = bitcast float %f to i32
 call void @sink(i32 %v)
 ret void }
define internal void @sinkh(<2 x half> %f) { %v = bitcast <2 x half> %f to i32
 call void @sink(i32 %v)
 ret void }
define internal void @sinkb(<2 x bfloat> %f) { %v = bitcast <2 x bfloat> %f to i32
 call void @sink(i32 %v)
 ret void }
define ptx_kernel void @forms0(i32 %i, i64 %l, float %f, half %h, bfloat %b, <2 x half> %hh, <2 x bfloat> %bb, double %d, i1 %p, ptr addrspace(1) %g) {
  %s = getelementptr i8, ptr addrspace(3) @sh, i32 0
  %m = getelementptr i8, ptr addrspace(3) @mb, i32 0
  %s0 = addrspacecast ptr addrspace(3) %s to ptr
  %v1 = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  call void @sink(i32 %v1)
  %v3 = call i32 @llvm.nvvm.read.ptx.sreg.laneid()
  call void @sink(i32 %v3)
  %v5 = call i32 @llvm.nvvm.read.ptx.sreg.warpid()
  call void @sink(i32 %v5)
  %v7 = call i32 @llvm.nvvm.read.ptx.sreg.lanemask.lt()
  call void @sink(i32 %v7)
  %v9 = call i32 @llvm.nvvm.read.ptx.sreg.nctaid.x()
  call void @sink(i32 %v9)
  %v11 = call {float,float,float,float} @llvm.nvvm.mma.m16n8k8.row.col.tf32(i32 %i, i32 %i, i32 %i, i32 %i, i32 %i, i32 %i, float %f, float %f, float %f, float %f)
  %e11_0 = extractvalue {float,float,float,float} %v11, 0
  call void @sinkf(float %e11_0)
  %e11_1 = extractvalue {float,float,float,float} %v11, 1
  call void @sinkf(float %e11_1)
  %e11_2 = extractvalue {float,float,float,float} %v11, 2
  call void @sinkf(float %e11_2)
  %e11_3 = extractvalue {float,float,float,float} %v11, 3
  call void @sinkf(float %e11_3)
  %v16 = call {float,float,float,float} @llvm.nvvm.mma.m16n8k4.row.col.tf32(i32 %i, i32 %i, i32 %i, float %f, float %f, float %f, float %f)
  %e16_0 = extractvalue {float,float,float,float} %v16, 0
  call void @sinkf(float %e16_0)
  %e16_1 = extractvalue {float,float,float,float} %v16, 1
  call void @sinkf(float %e16_1)
  %e16_2 = extractvalue {float,float,float,float} %v16, 2
  call void @sinkf(float %e16_2)
  %e16_3 = extractvalue {float,float,float,float} %v16, 3
  call void @sinkf(float %e16_3)
  %v21 = call {float,float,float,float} @llvm.nvvm.mma.m16n8k8.row.col.bf16(i32 %i, i32 %i, i32 %i, float %f, float %f, float %f, float %f)
  %e21_0 = extractvalue {float,float,float,float} %v21, 0
  call void @sinkf(float %e21_0)
  %e21_1 = extractvalue {float,float,float,float} %v21, 1
  call void @sinkf(float %e21_1)
  %e21_2 = extractvalue {float,float,float,float} %v21, 2
  call void @sinkf(float %e21_2)
  %e21_3 = extractvalue {float,float,float,float} %v21, 3
  call void @sinkf(float %e21_3)
  %v26 = call {float,float,float,float} @llvm.nvvm.mma.m16n8k16.row.col.f32.f32(<2 x half> %hh, <2 x half> %hh, <2 x half> %hh, <2 x half> %hh, <2 x half> %hh, <2 x half> %hh, float %f, float %f, float %f, float %f)
  %e26_0 = extractvalue {float,float,float,float} %v26, 0
  call void @sinkf(float %e26_0)
  %e26_1 = extractvalue {float,float,float,float} %v26, 1
  call void @sinkf(float %e26_1)
  %e26_2 = extractvalue {float,float,float,float} %v26, 2
  call void @sinkf(float %e26_2)
  %e26_3 = extractvalue {float,float,float,float} %v26, 3
  call void @sinkf(float %e26_3)
  %v31 = call {<2 x half>,<2 x half>} @llvm.nvvm.mma.m16n8k16.row.col.f16.f16(<2 x half> %hh, <2 x half> %hh, <2 x half> %hh, <2 x half> %hh, <2 x half> %hh, <2 x half> %hh, <2 x half> %hh, <2 x half> %hh)
  %e31_0 = extractvalue {<2 x half>,<2 x half>} %v31, 0
  call void @sinkh(<2 x half> %e31_0)
  %e31_1 = extractvalue {<2 x half>,<2 x half>} %v31, 1
  call void @sinkh(<2 x half> %e31_1)
  ret void
}
define ptx_kernel void @forms1(i32 %i, i64 %l, float %f, half %h, bfloat %b, <2 x half> %hh, <2 x bfloat> %bb, double %d, i1 %p, ptr addrspace(1) %g) {
  %s = getelementptr i8, ptr addrspace(3) @sh, i32 0
  %m = getelementptr i8, ptr addrspace(3) @mb, i32 0
  %s0 = addrspacecast ptr addrspace(3) %s to ptr
  %v34 = call {<2 x half>,<2 x half>} @llvm.nvvm.mma.m16n8k8.row.col.f16.f16(<2 x half> %hh, <2 x half> %hh, <2 x half> %hh, <2 x half> %hh, <2 x half> %hh)
  %e34_0 = extractvalue {<2 x half>,<2 x half>} %v34, 0
  call void @sinkh(<2 x half> %e34_0)
  %e34_1 = extractvalue {<2 x half>,<2 x half>} %v34, 1
  call void @sinkh(<2 x half> %e34_1)
  %v37 = call {i32,i32,i32,i32} @llvm.nvvm.mma.m16n8k32.row.col.s8(i32 %i, i32 %i, i32 %i, i32 %i, i32 %i, i32 %i, i32 %i, i32 %i, i32 %i, i32 %i)
  %e37_0 = extractvalue {i32,i32,i32,i32} %v37, 0
  call void @sink(i32 %e37_0)
  %e37_1 = extractvalue {i32,i32,i32,i32} %v37, 1
  call void @sink(i32 %e37_1)
  %e37_2 = extractvalue {i32,i32,i32,i32} %v37, 2
  call void @sink(i32 %e37_2)
  %e37_3 = extractvalue {i32,i32,i32,i32} %v37, 3
  call void @sink(i32 %e37_3)
  %v42 = call {i32,i32,i32,i32} @llvm.nvvm.mma.m16n8k32.row.col.satfinite.s8(i32 %i, i32 %i, i32 %i, i32 %i, i32 %i, i32 %i, i32 %i, i32 %i, i32 %i, i32 %i)
  %e42_0 = extractvalue {i32,i32,i32,i32} %v42, 0
  call void @sink(i32 %e42_0)
  %e42_1 = extractvalue {i32,i32,i32,i32} %v42, 1
  call void @sink(i32 %e42_1)
  %e42_2 = extractvalue {i32,i32,i32,i32} %v42, 2
  call void @sink(i32 %e42_2)
  %e42_3 = extractvalue {i32,i32,i32,i32} %v42, 3
  call void @sink(i32 %e42_3)
  %v47 = call {double,double} @llvm.nvvm.mma.m8n8k4.row.col.f64(double %d, double %d, double %d, double %d)
  %e47_0 = extractvalue {double,double} %v47, 0
  %u48 = fptrunc double %e47_0 to float
  call void @sinkf(float %u48)
  %e47_1 = extractvalue {double,double} %v47, 1
  %u49 = fptrunc double %e47_1 to float
  call void @sinkf(float %u49)
  %v50 = call i32 @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x1.b16.p3(ptr addrspace(3) %s)
  call void @sink(i32 %v50)
  %v52 = call {i32,i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.trans.b16.p3(ptr addrspace(3) %s)
  %e52_0 = extractvalue {i32,i32} %v52, 0
  call void @sink(i32 %e52_0)
  %e52_1 = extractvalue {i32,i32} %v52, 1
  call void @sink(i32 %e52_1)
  %v55 = call {i32,i32} @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x2.b16.p0(ptr %s0)
  %e55_0 = extractvalue {i32,i32} %v55, 0
  call void @sink(i32 %e55_0)
  %e55_1 = extractvalue {i32,i32} %v55, 1
  call void @sink(i32 %e55_1)
  call void @llvm.nvvm.cp.async.ca.shared.global.4(ptr addrspace(3) %s, ptr addrspace(1) %g)
  call void @llvm.nvvm.cp.async.ca.shared.global.8.s(ptr addrspace(3) %s, ptr addrspace(1) %g, i32 %i)
  call void @llvm.nvvm.cp.async.ca.shared.global.16(ptr addrspace(3) %s, ptr addrspace(1) %g)
  ret void
}
define ptx_kernel void @forms2(i32 %i, i64 %l, float %f, half %h, bfloat %b, <2 x half> %hh, <2 x bfloat> %bb, double %d, i1 %p, ptr addrspace(1) %g) {
  %s = getelementptr i8, ptr addrspace(3) @sh, i32 0
  %m = getelementptr i8, ptr addrspace(3) @mb, i32 0
  %s0 = addrspacecast ptr addrspace(3) %s to ptr
  call void @llvm.nvvm.cp.async.wait.all()
  call void @llvm.nvvm.cp.async.mbarrier.arrive.noinc.shared(ptr addrspace(3) %m)
  call void @llvm.nvvm.mbarrier.init.shared(ptr addrspace(3) %m, i32 %i)
  call void @llvm.nvvm.mbarrier.inval.shared(ptr addrspace(3) %m)
  %v58 = call i64 @llvm.nvvm.mbarrier.arrive.shared(ptr addrspace(3) %m)
  %u59 = trunc i64 %v58 to i32
  call void @sink(i32 %u59)
  %v60 = call i64 @llvm.nvvm.mbarrier.arrive.drop.shared(ptr addrspace(3) %m)
  %u61 = trunc i64 %v60 to i32
  call void @sink(i32 %u61)
  call void @llvm.nvvm.barrier(i32 %i, i32 %i)
  call void @llvm.nvvm.barrier.n(i32 %i)
  call void @llvm.nvvm.barrier.sync(i32 %i)
  call void @llvm.nvvm.barrier.sync.cnt(i32 %i, i32 %i)
  ret void
}
define ptx_kernel void @forms3(i32 %i, i64 %l, float %f, half %h, bfloat %b, <2 x half> %hh, <2 x bfloat> %bb, double %d, i1 %p, ptr addrspace(1) %g) {
  %s = getelementptr i8, ptr addrspace(3) @sh, i32 0
  %m = getelementptr i8, ptr addrspace(3) @mb, i32 0
  %s0 = addrspacecast ptr addrspace(3) %s to ptr
  call void @llvm.nvvm.bar.warp.sync(i32 %i)
  %v62 = call i32 @llvm.nvvm.barrier0.popc(i32 %i)
  call void @sink(i32 %v62)
  %v64 = call i32 @llvm.nvvm.barrier0.and(i32 %i)
  call void @sink(i32 %v64)
  %v66 = call i32 @llvm.nvvm.barrier0.or(i32 %i)
  call void @sink(i32 %v66)
  %v68 = call i1 @llvm.nvvm.vote.all.sync(i32 %i, i1 %p)
  %u69 = zext i1 %v68 to i32
  call void @sink(i32 %u69)
  %v70 = call i1 @llvm.nvvm.vote.any.sync(i32 %i, i1 %p)
  %u71 = zext i1 %v70 to i32
  call void @sink(i32 %u71)
  %v72 = call i32 @llvm.nvvm.vote.ballot.sync(i32 %i, i1 %p)
  call void @sink(i32 %v72)
  %v74 = call i32 @llvm.nvvm.match.any.sync.i32(i32 %i, i32 %i)
  call void @sink(i32 %v74)
  %v76 = call {i32,i1} @llvm.nvvm.match.all.sync.i32p(i32 %i, i32 %i)
  %e76_0 = extractvalue {i32,i1} %v76, 0
  call void @sink(i32 %e76_0)
  %e76_1 = extractvalue {i32,i1} %v76, 1
  %u78 = zext i1 %e76_1 to i32
  call void @sink(i32 %u78)
  %v79 = call i32 @llvm.nvvm.redux.sync.add(i32 %i, i32 %i)
  call void @sink(i32 %v79)
  ret void
}
define ptx_kernel void @forms4(i32 %i, i64 %l, float %f, half %h, bfloat %b, <2 x half> %hh, <2 x bfloat> %bb, double %d, i1 %p, ptr addrspace(1) %g) {
  %s = getelementptr i8, ptr addrspace(3) @sh, i32 0
  %m = getelementptr i8, ptr addrspace(3) @mb, i32 0
  %s0 = addrspacecast ptr addrspace(3) %s to ptr
  %v81 = call i32 @llvm.nvvm.redux.sync.umax(i32 %i, i32 %i)
  call void @sink(i32 %v81)
  %v83 = call i32 @llvm.nvvm.redux.sync.xor(i32 %i, i32 %i)
  call void @sink(i32 %v83)
  %v85 = call i32 @llvm.nvvm.activemask()
  call void @sink(i32 %v85)
  %v87 = call {i32,i1} @llvm.nvvm.shfl.sync.down.i32p(i32 %i, i32 %i, i32 %i, i32 %i)
  %e87_0 = extractvalue {i32,i1} %v87, 0
  call void @sink(i32 %e87_0)
  %e87_1 = extractvalue {i32,i1} %v87, 1
  %u89 = zext i1 %e87_1 to i32
  call void @sink(i32 %u89)
  %v90 = call i32 @llvm.nvvm.shfl.sync.idx.i32(i32 %i, i32 %i, i32 %i, i32 %i)
  call void @sink(i32 %v90)
  %v92 = call float @llvm.nvvm.shfl.sync.up.f32(i32 %i, float %f, i32 %i, i32 %i)
  call void @sinkf(float %v92)
  call void @llvm.nvvm.membar.cta()
  call void @llvm.nvvm.membar.gl()
  %v94 = call i32 @llvm.nvvm.prmt(i32 %i, i32 %i, i32 %i)
  call void @sink(i32 %v94)
  %v96 = call float @llvm.nvvm.rcp.approx.ftz.f(float %f)
  call void @sinkf(float %v96)
  ret void
}
define ptx_kernel void @forms5(i32 %i, i64 %l, float %f, half %h, bfloat %b, <2 x half> %hh, <2 x bfloat> %bb, double %d, i1 %p, ptr addrspace(1) %g) {
  %s = getelementptr i8, ptr addrspace(3) @sh, i32 0
  %m = getelementptr i8, ptr addrspace(3) @mb, i32 0
  %s0 = addrspacecast ptr addrspace(3) %s to ptr
  %v98 = call float @llvm.nvvm.rsqrt.approx.f(float %f)
  call void @sinkf(float %v98)
  %v100 = call float @llvm.nvvm.sqrt.approx.f(float %f)
  call void @sinkf(float %v100)
  %v102 = call float @llvm.nvvm.sqrt.rn.f(float %f)
  call void @sinkf(float %v102)
  %v104 = call float @llvm.nvvm.lg2.approx.f(float %f)
  call void @sinkf(float %v104)
  %v106 = call float @llvm.nvvm.sin.approx.f(float %f)
  call void @sinkf(float %v106)
  %v108 = call float @llvm.nvvm.cos.approx.ftz.f(float %f)
  call void @sinkf(float %v108)
  %v110 = call float @llvm.nvvm.div.approx.f(float %f, float %f)
  call void @sinkf(float %v110)
  %v112 = call float @llvm.nvvm.fma.rz.f(float %f, float %f, float %f)
  call void @sinkf(float %v112)
  %v114 = call float @llvm.nvvm.add.rm.ftz.f(float %f, float %f)
  call void @sinkf(float %v114)
  %v116 = call float @llvm.nvvm.mul.rp.f(float %f, float %f)
  call void @sinkf(float %v116)
  ret void
}
define ptx_kernel void @forms6(i32 %i, i64 %l, float %f, half %h, bfloat %b, <2 x half> %hh, <2 x bfloat> %bb, double %d, i1 %p, ptr addrspace(1) %g) {
  %s = getelementptr i8, ptr addrspace(3) @sh, i32 0
  %m = getelementptr i8, ptr addrspace(3) @mb, i32 0
  %s0 = addrspacecast ptr addrspace(3) %s to ptr
  %v118 = call float @llvm.nvvm.saturate.f(float %f)
  call void @sinkf(float %v118)
  %v120 = call float @llvm.nvvm.floor.f(float %f)
  call void @sinkf(float %v120)
  %v122 = call float @llvm.nvvm.round.f(float %f)
  call void @sinkf(float %v122)
  %v124 = call float @llvm.nvvm.trunc.ftz.f(float %f)
  call void @sinkf(float %v124)
  %v126 = call float @llvm.nvvm.fabs.ftz.f(float %f)
  call void @sinkf(float %v126)
  %v128 = call i32 @llvm.nvvm.f2i.rm(float %f)
  call void @sink(i32 %v128)
  %v130 = call i32 @llvm.nvvm.f2i.rn.ftz(float %f)
  call void @sink(i32 %v130)
  %v132 = call i64 @llvm.nvvm.f2ll.rz(float %f)
  %u133 = trunc i64 %v132 to i32
  call void @sink(i32 %u133)
  %v134 = call float @llvm.nvvm.i2f.rz(i32 %i)
  call void @sinkf(float %v134)
  %v136 = call <2 x bfloat> @llvm.nvvm.ff2bf16x2.rn(float %f, float %f)
  call void @sinkb(<2 x bfloat> %v136)
  ret void
}
define ptx_kernel void @forms7(i32 %i, i64 %l, float %f, half %h, bfloat %b, <2 x half> %hh, <2 x bfloat> %bb, double %d, i1 %p, ptr addrspace(1) %g) {
  %s = getelementptr i8, ptr addrspace(3) @sh, i32 0
  %m = getelementptr i8, ptr addrspace(3) @mb, i32 0
  %s0 = addrspacecast ptr addrspace(3) %s to ptr
  %v138 = call <2 x bfloat> @llvm.nvvm.ff2bf16x2.rn.relu(float %f, float %f)
  call void @sinkb(<2 x bfloat> %v138)
  %v140 = call <2 x half> @llvm.nvvm.ff2f16x2.rz(float %f, float %f)
  call void @sinkh(<2 x half> %v140)
  %v142 = call i32 @llvm.nvvm.f2tf32.rna(float %f)
  call void @sink(i32 %v142)
  %v144 = call i32 @llvm.nvvm.mulhi.i(i32 %i, i32 %i)
  call void @sink(i32 %v144)
  %v146 = call i32 @llvm.nvvm.sad.ui(i32 %i, i32 %i, i32 %i)
  call void @sink(i32 %v146)
  %v148 = call <2 x half> @llvm.nvvm.fma.rn.f16x2(<2 x half> %hh, <2 x half> %hh, <2 x half> %hh)
  call void @sinkh(<2 x half> %v148)
  %v150 = call <2 x half> @llvm.nvvm.fma.rn.relu.f16x2(<2 x half> %hh, <2 x half> %hh, <2 x half> %hh)
  call void @sinkh(<2 x half> %v150)
  %v152 = call <2 x bfloat> @llvm.nvvm.fma.rn.bf16x2(<2 x bfloat> %bb, <2 x bfloat> %bb, <2 x bfloat> %bb)
  call void @sinkb(<2 x bfloat> %v152)
  %v154 = call <2 x half> @llvm.nvvm.fmax.nan.f16x2(<2 x half> %hh, <2 x half> %hh)
  call void @sinkh(<2 x half> %v154)
  %v156 = call bfloat @llvm.nvvm.fmin.bf16(bfloat %b, bfloat %b)
  %u157 = fpext bfloat %v156 to float
  call void @sinkf(float %u157)
  ret void
}
define ptx_kernel void @forms8(i32 %i, i64 %l, float %f, half %h, bfloat %b, <2 x half> %hh, <2 x bfloat> %bb, double %d, i1 %p, ptr addrspace(1) %g) {
  %s = getelementptr i8, ptr addrspace(3) @sh, i32 0
  %m = getelementptr i8, ptr addrspace(3) @mb, i32 0
  %s0 = addrspacecast ptr addrspace(3) %s to ptr
  %v158 = call half @llvm.nvvm.ex2.approx.f16(half %h)
  %u159 = fpext half %v158 to float
  call void @sinkf(float %u159)
  %v160 = call <2 x half> @llvm.nvvm.ex2.approx.f16x2(<2 x half> %hh)
  call void @sinkh(<2 x half> %v160)
  %v162 = call float @llvm.fabs.f32(float %f)
  call void @sinkf(float %v162)
  %v164 = call float @llvm.copysign.f32(float %f, float %f)
  call void @sinkf(float %v164)
  %v166 = call float @llvm.sqrt.f32(float %f)
  call void @sinkf(float %v166)
  %v168 = call float @llvm.rint.f32(float %f)
  call void @sinkf(float %v168)
  %v170 = call float @llvm.ceil.f32(float %f)
  call void @sinkf(float %v170)
  %v172 = call double @llvm.floor.f64(double %d)
  %u173 = fptrunc double %v172 to float
  call void @sinkf(float %u173)
  %v174 = call i32 @llvm.bswap.i32(i32 %i)
  call void @sink(i32 %v174)
  ret void
}
