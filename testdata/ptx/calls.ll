; A device function with an array of its own, constants, a global variable, and an integer division.
target triple = "nvptx64-nvidia-cuda"
@table = internal addrspace(4) constant [4 x float] [float 1.0, float 2.5, float -3.0, float 4.0], align 4
@bias = addrspace(1) global [2 x float] [float 0.5, float -0.25], align 4
declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()

define float @poly(float %x, i32 %n) noinline {
entry:
  %a = alloca [4 x float], align 4
  br label %fill
fill:
  %i = phi i32 [0, %entry], [%i1, %fill]
  %v = phi float [1.0, %entry], [%w, %fill]
  %p = getelementptr [4 x float], ptr %a, i32 0, i32 %i
  store volatile float %v, ptr %p
  %w = fmul float %v, %x
  %i1 = add i32 %i, 1
  %c = icmp slt i32 %i1, 4
  br i1 %c, label %fill, label %sum
sum:
  %j = phi i32 [0, %fill], [%j1, %sum]
  %s = phi float [0.0, %fill], [%s1, %sum]
  %q = getelementptr [4 x float], ptr %a, i32 0, i32 %j
  %u = load volatile float, ptr %q
  %tp = getelementptr [4 x float], ptr addrspace(4) @table, i32 0, i32 %j
  %t = load float, ptr addrspace(4) %tp
  %m = fmul float %u, %t
  %s1 = fadd float %s, %m
  %j1 = add i32 %j, 1
  %d = icmp slt i32 %j1, %n
  br i1 %d, label %sum, label %end
end:
  ret float %s1
}

define ptx_kernel void @polys(ptr addrspace(1) %x, ptr addrspace(1) %y, i32 %mod) {
  %t = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  %i = sext i32 %t to i64
  %p = getelementptr float, ptr addrspace(1) %x, i64 %i
  %v = load float, ptr addrspace(1) %p
  %r = urem i32 %t, %mod
  %n = add i32 %r, 1
  %f = call float @poly(float %v, i32 %n)
  %odd = icmp eq i32 %r, 1
  br i1 %odd, label %twice, label %once
twice:
  %g = call float @poly(float %f, i32 2)
  br label %once
once:
  %h = phi float [%f, %0], [%g, %twice]
  %bi = and i32 %t, 1
  %bp = getelementptr [2 x float], ptr addrspace(1) @bias, i32 0, i32 %bi
  %b = load float, ptr addrspace(1) %bp
  %z = fadd float %h, %b
  %q = getelementptr float, ptr addrspace(1) %y, i64 %i
  store float %z, ptr addrspace(1) %q
  ret void
}
