; Kernels for the runtime's tests: void sym(ptr args, i64 lo, i64 hi, ptr scratch).
target triple = "x86_64-linux"

; args: x f32[n]. x[i] += 1 for the points lo..hi.
define void @increment(ptr %args, i64 %lo, i64 %hi, ptr %scratch) {
entry:
  %x = load ptr, ptr %args
  br label %loop
loop:
  %i = phi i64 [ %lo, %entry ], [ %next, %loop ]
  %p = getelementptr float, ptr %x, i64 %i
  %v = load float, ptr %p
  %w = fadd float %v, 1.0
  store float %w, ptr %p
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %hi
  br i1 %more, label %loop, label %done
done:
  ret void
}

; args: y f32[n], x f32[n]. y[n-1-i] = x[i], n in a third buffer of one i64.
define void @reverse(ptr %args, i64 %lo, i64 %hi, ptr %scratch) {
entry:
  %y = load ptr, ptr %args
  %xp = getelementptr ptr, ptr %args, i64 1
  %x = load ptr, ptr %xp
  %np = getelementptr ptr, ptr %args, i64 2
  %nb = load ptr, ptr %np
  %n = load i64, ptr %nb
  br label %loop
loop:
  %i = phi i64 [ %lo, %entry ], [ %next, %loop ]
  %p = getelementptr float, ptr %x, i64 %i
  %v = load float, ptr %p
  %j0 = sub i64 %n, %i
  %j = sub i64 %j0, 1
  %q = getelementptr float, ptr %y, i64 %j
  store float %v, ptr %q
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %hi
  br i1 %more, label %loop, label %done
done:
  ret void
}

; args: w f32[8], x f32[4,8], step i32. w[i] = w[i]*0.5 + x[0,i] + x[3,i] + step.
define void @learn(ptr %args, i64 %lo, i64 %hi, ptr %scratch) {
entry:
  %w = load ptr, ptr %args
  %xp = getelementptr ptr, ptr %args, i64 1
  %x = load ptr, ptr %xp
  %sp = getelementptr ptr, ptr %args, i64 2
  %sb = load ptr, ptr %sp
  %s = load i32, ptr %sb
  %sf = sitofp i32 %s to float
  br label %loop
loop:
  %i = phi i64 [ %lo, %entry ], [ %next, %loop ]
  %p = getelementptr float, ptr %w, i64 %i
  %v = load float, ptr %p
  %h = fmul float %v, 0.5
  %a = getelementptr float, ptr %x, i64 %i
  %av = load float, ptr %a
  %i3 = add i64 %i, 24
  %b = getelementptr float, ptr %x, i64 %i3
  %bv = load float, ptr %b
  %t0 = fadd float %h, %av
  %t1 = fadd float %t0, %bv
  %t2 = fadd float %t1, %sf
  store float %t2, ptr %p
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %hi
  br i1 %more, label %loop, label %done
done:
  ret void
}

; args: out f32, x f32[4,8]. The mean over rows of the first column.
define void @mean(ptr %args, i64 %lo, i64 %hi, ptr %scratch) {
  %out = load ptr, ptr %args
  %xp = getelementptr ptr, ptr %args, i64 1
  %x = load ptr, ptr %xp
  %p1 = getelementptr float, ptr %x, i64 8
  %p2 = getelementptr float, ptr %x, i64 16
  %p3 = getelementptr float, ptr %x, i64 24
  %a = load float, ptr %x
  %b = load float, ptr %p1
  %c = load float, ptr %p2
  %d = load float, ptr %p3
  %s0 = fadd float %a, %b
  %s1 = fadd float %s0, %c
  %s2 = fadd float %s1, %d
  %m = fmul float %s2, 0.25
  store float %m, ptr %out
  ret void
}

; args: w f32[8], seed u32[2]. w[i] = seed[0] + i.
define void @start(ptr %args, i64 %lo, i64 %hi, ptr %scratch) {
entry:
  %w = load ptr, ptr %args
  %sp = getelementptr ptr, ptr %args, i64 1
  %sb = load ptr, ptr %sp
  %s = load i32, ptr %sb
  br label %loop
loop:
  %i = phi i64 [ %lo, %entry ], [ %next, %loop ]
  %i32 = trunc i64 %i to i32
  %v = add i32 %s, %i32
  %f = uitofp i32 %v to float
  %p = getelementptr float, ptr %w, i64 %i
  store float %f, ptr %p
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %hi
  br i1 %more, label %loop, label %done
done:
  ret void
}

; args: out i32[1,16], in i32[1,16], n i64. out[j] = in[j] + 1 for j < n.
define void @shift(ptr %args, i64 %lo, i64 %hi, ptr %scratch) {
entry:
  %y = load ptr, ptr %args
  %xp = getelementptr ptr, ptr %args, i64 1
  %x = load ptr, ptr %xp
  br label %loop
loop:
  %i = phi i64 [ %lo, %entry ], [ %next, %loop ]
  %p = getelementptr i32, ptr %x, i64 %i
  %v = load i32, ptr %p
  %w = add i32 %v, 1
  %q = getelementptr i32, ptr %y, i64 %i
  store i32 %w, ptr %q
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %hi
  br i1 %more, label %loop, label %done
done:
  ret void
}

; args: x f32[1]. x = x * 0.5, which denormals survive.
define void @half(ptr %args, i64 %lo, i64 %hi, ptr %scratch) {
  %x = load ptr, ptr %args
  %v = load float, ptr %x
  %h = fmul float %v, 0.5
  store float %h, ptr %x
  ret void
}

; args: x. Writes where nothing is.
define void @crash(ptr %args, i64 %lo, i64 %hi, ptr %scratch) {
  store i64 1, ptr inttoptr (i64 64 to ptr)
  ret void
}
