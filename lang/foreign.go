package lang

import (
	"fmt"
	"strings"

	"mdlc/ir"
	"mdlc/stdlib"
)

// What writers of PyTorch, JAX and NumPy reach for, and what mdl has in its place.

// foreignNames are names on their own.
var foreignNames = map[string]string{
	"True": "`true`", "False": "`false`", "None": "`none`", "self": "members of a module are named directly: `w`, not `self.w`",
	"torch": "functions need no prefix: `exp(x)`, `concat([a, b], axis: 1)`", "np": "functions need no prefix: `exp(x)`", "jnp": "functions need no prefix: `exp(x)`", "F": "functions need no prefix: `relu(x)`",
	"break": "a `while` ends by its condition, a train makes all its steps", "continue": "an `if` around what follows", "pass": "leave it out",
	"data": "data have a name: `data d = npy(\"x.npy\")` at file level, and `d.train` is a part of them", "zeros": "`x: f32[n] = 0`", "ones": "`x: f32[n] = 1`", "full": "`x: f32[n] = v`", "zeros_like": "`0 * x`", "ones_like": "`0 * x + 1`", "eye": "`y[i < n, j < n] = f32(i == j)`",
	"randn": "`x ~ normal[n]`", "rand": "`x ~ uniform[n]`", "randint": "`x ~ integers(low, high)[n]`", "randperm": "`x ~ permutation[n]`", "multinomial": "`x ~ categorical(logits)`",
	"outer": "index notation: `y[i, j] = a[i] * b[j]`", "diag": "index notation: `d[i] = x[i, i]`, or `y[i, j] = where i == j then d[i] else 0`", "diagonal": "index notation: `d[i] = x[i, i]`", "trace": "`sum[i] x[i, i]`",
	"inv": "`inverse(x)`", "logdet": "`slogdet(x)`, or of l = cholesky(x): 2 * (sum[i] log(l[i, i]))", "solve_triangular": "`solve_lower(l, b)` or `solve_upper(u, b)`",
	"scatter_add": "`y[k < n, d] = sum[i where number[i] == k] x[i, d]`", "segment_sum": "`y[k < n, d] = sum[i where number[i] == k] x[i, d]`", "index_add": "`y[k < n, d] = sum[i where number[i] == k] x[i, d]`", "bincount": "`n[k < count] = sum[i where number[i] == k] 1`", "logcumsumexp": "`cumlogsumexp(x, axis: -1)`",
	"vmap": "index notation, or a loop: `for i in n { y[i] = f(x[i]) }`", "scan": "a loop: `for t in n { … }`", "fori_loop": "a loop: `for t in n { … }`", "lambda": "`fn f(x) = …` at file level",
	"arange": "an index in index notation, as in `y[i < n] = i`", "linspace": "`y[i < n] = a + (b - a) * i / (n - 1)`",
	"matmul": "`a @ b`", "einsum": "index notation: `y[b, o] = sum[i] x[b, i] * w[i, o]`", "cat": "`concat([a, b], axis: 1)`", "where": "`where c then a else b`",
	"pow": "`x^y`", "relu6": "`min(relu(x), 6)`", "maximum": "`max(a, b)`", "minimum": "`min(a, b)`", "clip": "`clamp(x, low, high)`", "topk": "`top_k(x, k: 5)`", "tril": "`where` in index notation: `softmax[s where s <= t]`",
	"softmax_cross_entropy": "`cross_entropy(logits, target)`", "mse_loss": "`mse(a, b)`", "binary_cross_entropy_with_logits": "`mean(bce(logits, target))`",
	"int": "`i32(x)` converts", "float": "`f32(x)` converts", "enumerate": "`for i, x in len(xs), xs`", "zip": "`for a, b in xs, ys`",
	"squeeze": "`x[:, 0]` drops an axis", "unsqueeze": "`x[:, none]` adds an axis", "view": "`reshape(x, [a, b])`",
	"permute": "index notation: `y[j, i] = x[i, j]`, or `transpose(x)`", "detach": "`stop(x)`",
}

// foreignFields stand behind the point of a tensor.
var foreignFields = map[string]string{
	"shape": "sizes are named in types, as in `x: f32[B, n]`, or `len(x)`", "size": "sizes are named in types, as in `x: f32[B, n]`, or `len(x)`", "dtype": "the type of a tensor is known: `f32[…]`",
	"T": "`transpose(x)`", "t": "`transpose(x)`", "transpose": "`transpose(x)`", "mean": "`mean(x)`, `mean(x, axis: 1)`", "sum": "`sum(x)`, `sum(x, axis: 1)`", "max": "`max(x)`, `max(x, axis: 1)`", "min": "`min(x)`",
	"std": "`std(x)`", "var": "`var(x)`", "argmax": "`argmax(x, axis: -1)`", "softmax": "`softmax(x, axis: -1)`", "norm": "`norm(x)`", "exp": "`exp(x)`", "log": "`log(x)`", "pow": "`x^y`", "abs": "`abs(x)`", "clamp": "`clamp(x, low, high)`",
	"view": "`reshape(x, [a, b])`", "reshape": "`reshape(x, [a, b])`", "flatten": "`flatten(x)`", "backward": "`minimize loss over model with optim.adam(lr: 1e-3)` differentiates and makes a step",
	"grad": "`grad(s, x)` is the gradient of s by x", "detach": "`stop(x)`", "float": "`f32(x)`", "long": "`i32(x)`", "int": "`i32(x)`", "item": "leave it out: `report x` logs a number, `print(x)` tells it, and `if` and `while` take it as it is", "tolist": "leave it out: `show x` writes all numbers, `report x` logs them",
	"clone": "leave it out: an array does not change", "contiguous": "leave it out: how an array lies in memory is not seen", "requires_grad": "leave it out: params have gradients, and `grad(s, x)` takes any named value", "requires_grad_": "leave it out: params have gradients, and `grad(s, x)` takes any named value",
	"device": "leave it out: there is one device", "numel": "`count(x)`", "dim": "`rank(x)`", "ndim": "`rank(x)`", "repeat": "index notation: `y[i < n, j] = x[j]`", "expand": "leave it out where shapes broadcast, or `x[none]`", "chunk": "slices: `x[:, :n]` and `x[:, n:]`", "split": "slices: `x[:, :n]` and `x[:, n:]`",
	"bool": "`x != 0`", "double": "leave it out: everything is computed in f32", "half": "`f16(x)`", "type": "`f32(x)`, `i32(x)`", "astype": "`f32(x)`, `i32(x)`", "gather": "an index that is data: `y[b] = x[b, k[b]]`", "matmul": "`a @ b`", "mm": "`a @ b`", "bmm": "`a @ b`", "topk": "`top_k(x, k: 5)`", "squeeze": "`x[:, 0]` drops an axis", "unsqueeze": "`x[:, none]` adds an axis",
	"permute": "index notation: `y[j, i] = x[i, j]`", "to": "leave it out: there is one device, and `f32(x)` converts", "cuda": "leave it out: there is one device", "cpu": "leave it out: there is one device", "numpy": "leave it out: `show x` writes it", "masked_fill": "`where c then v else x`",
}

// fieldHelp says what to write for a field of a tensor.
func (b *builder) fieldHelp(name string) string {
	if help := foreignFields[name]; help != "" {
		return help
	}
	if f, _ := b.sc.find(name); f != nil {
		if _, ok := f.(Func); ok {
			return "`" + name + "(x)`"
		}
	}
	if strings.HasSuffix(name, "_") {
		return "an array does not change: `y = …` makes another"
	}
	return ""
}

// foreignMethods stand behind the point of a module.
var foreignMethods = map[string]string{
	"forward": "the module is called itself: `m(x)`", "parameters": "`over m` takes all params of m", "state_dict": "weights are saved in the run folder", "train": "`training` is true in a train by itself", "eval": "`frozen(m)` is m as `eval` sees it",
	"to": "leave it out: there is one device", "cuda": "leave it out: there is one device", "zero_grad": "leave it out: `minimize` takes fresh gradients",
}

// foreignLayers stand behind `nn.` and `optim.`.
var foreignLayers = map[string]string{
	"ReLU": "`relu(x)` is a function and needs no instance", "GELU": "`gelu(x)` is a function and needs no instance", "SiLU": "`silu(x)` is a function and needs no instance", "Tanh": "`tanh(x)` is a function and needs no instance",
	"Sigmoid": "`sigmoid(x)` is a function and needs no instance", "LeakyReLU": "`leaky_relu(x)` is a function and needs no instance", "Softmax": "`softmax(x, axis: -1)` is a function", "Flatten": "`flatten(x)` is a function", "Identity": "`identity(x)` is a function",
	"Sequential": "`nn.MLP([a, b, c])`, or a module whose function calls one layer after the other", "ModuleList": "a list: `layers = [nn.Linear(d, d) for n]`", "Module": "`module Net(n: int) { … }` declares one", "Parameter": "`param w: f32[n] = 0` in a module",
	"functional": "functions need no prefix: `relu(x)`", "init": "`param w: f32[n, m] ~ normal(std: 0.02)` says how it begins", "Conv2d": "`nn.Conv(inputs, outputs, kernel: 3)`", "ConvTranspose2d": "`nn.ConvTranspose(inputs, outputs)`",
	"BatchNorm1d": "`nn.BatchNorm(channels)`", "BatchNorm2d": "`nn.BatchNorm(channels)`", "MaxPool2d": "`y[n, c, i < H div 2, j < W div 2] = max[a < 2, b < 2] x[n, c, 2 * i + a, 2 * j + b]`", "AvgPool2d": "`mean[a < 2, b < 2]` in index notation",
	"MultiheadAttention": "`nn.Attention(dim, heads)`", "TransformerEncoderLayer": "`nn.Encoder(dim, heads)`", "CrossEntropyLoss": "`mean(cross_entropy(logits, target))`", "MSELoss": "`mse(a, b)`", "BCEWithLogitsLoss": "`mean(bce(logits, target))`",
	"Embedding": "`param table: f32[n, dim] ~ normal(std: 0.02)`, and `table[tok]`", "step": "`minimize loss over model with optim.adam(lr: 1e-3)` makes the step", "zero_grad": "leave it out: `minimize` takes fresh gradients", "lr_scheduler": "a schedule is an argument: `optim.adam(lr: optim.cosine(peak: 1e-3, total: steps))`",
	"Adam": "`optim.adam(lr: 1e-3)`", "AdamW": "`optim.adamw(lr: 1e-3)`", "SGD": "`optim.sgd(lr: 0.1)`", "RMSprop": "`optim.rmsprop(lr: 1e-3)`",
}

// foreignParameters name arguments.
var foreignParameters = map[string]string{
	"dim": "axis", "dims": "axis", "axes": "axis", "keepdim": "keep", "keepdims": "keep", "in_features": "inputs", "out_features": "outputs", "in_channels": "inputs", "out_channels": "outputs", "num_features": "channels", "num_channels": "channels",
	"kernel_size": "kernel", "padding": "pad", "learning_rate": "lr", "betas": "beta1", "p": "rate", "num_heads": "heads", "embed_dim": "dim", "hidden_size": "hidden", "input_size": "inputs", "k": "top_k",
}

// foreignPairs are functions that give values and their places elsewhere, and one of the two here.
var foreignPairs = map[string]string{
	"top_k": "`top_k` gives the places: `at = top_k(x, k: n)`, and the values are `v[b, j] = x[b, at[b, j]]`", "sort": "`sort` gives the values, and `argsort` the places",
	"max": "`max` gives the values, and `argmax` the places", "min": "`min` gives the values, and `argmin` the places",
}

// pairHelp says how to get both of what a call gives in other languages.
func pairHelp(t Term) string {
	if c, ok := t.(*CallTerm); ok {
		if f, ok := c.Fn.(*NameTerm); ok {
			return foreignPairs[f.Name]
		}
	}
	return ""
}

// parameterHelp says which parameter was meant, or which there are.
func parameterHelp(name string, have []string) string {
	if n := foreignParameters[name]; contains(have, n) {
		return "`" + n + ": …`"
	}
	if help := DidYouMean(name, have); help != "" || len(have) == 0 {
		return help
	}
	return "it has " + list(have)
}

// instead says what to write for a name that is not there.
func instead(name string, foreign map[string]string, have []string) string {
	if help := foreign[name]; help != "" {
		return help
	}
	return DidYouMean(name, have)
}

// libraryOf is the library file that declares a name, "" if none does.
func libraryOf(name string) string {
	for _, lib := range []string{"nn", "optim"} {
		text, _ := stdlib.Library(lib)
		for line := range strings.Lines(string(text)) {
			words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '(' || r == '{' || r == '\n' })
			if len(words) > 1 && words[1] == name && (words[0] == "module" || words[0] == "fn" || words[0] == "optimizer") {
				return lib
			}
		}
	}
	return ""
}

func (b *builder) unknown(name string, at Span) {
	help := foreignNames[name]
	if name == "nn" || name == "optim" {
		help = "`use " + name + "` at the top of the file brings it in"
	}
	if lib := libraryOf(name); help == "" && lib != "" {
		help = "`" + lib + "." + name + "`, with `use " + lib + "` at the top of the file"
	}
	if e, ok := b.inner[name]; ok && e.at.Pos.Filename == at.Pos.Filename && e.calls == len(b.calls) && e.at.Pos.Offset < at.Pos.Offset {
		help = fmt.Sprintf("only the block of line %[2]d binds `%[1]s`: bind it before, as in `%[1]s: f32[…] = 0`, or let the loop collect it by `%[1]s[i] = …` for use behind it", name, e.at.Pos.Line)
	}
	if help == "" && name == b.bindingName && b.entry != nil && b.entry.kind == ir.EntryTrain {
		help = acrossSteps(name)
	}
	if help == "" {
		help = DidYouMean(name, b.sc.names())
	}
	if help == "" && b.ix != nil && len(name) == 1 {
		help = fmt.Sprintf("an index that is not on the left is reduced over: `sum[%s] …`", name)
	}
	b.failHelp(at, help, "the name `%s` is not known here", name)
}

// Instead says what mdl has in the place of a name of another framework, or which of the names that there are is nearest.
func Instead(name string, have []string) string { return instead(name, foreignLayers, have) }
