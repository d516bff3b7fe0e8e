"""An iteration of PPO in PyTorch, the arithmetic of bench/graphs/ppo.tct, written with care: a key-value cache that is
allocated once, logits of the response's positions only, log-probabilities by the fused cross entropy, fused AdamW, no
gradients where none are wanted."""
import turns

try:
    import torch
    from torch import Tensor
    from torch.nn import functional as F
    from torch_gpt2 import Cache, Gpt2, Scorer, next_logits
except ImportError:
    turns.absent("PyTorch")

from sizes import MODELS

CLIP, BETA, LAMBDA, RATE = 0.2, 0.05, 0.95, 1e-5


def response_logp(model: Gpt2, tokens: Tensor, prompt: int) -> Tensor:
    """Log-probabilities of the tokens after the prompt, [B, T - prompt]."""
    hidden = model.body(tokens)[:, prompt - 1 : -1]
    logits = F.linear(hidden, model.body.wte.weight)
    return -F.cross_entropy(logits.flatten(0, 1), tokens[:, prompt:].flatten(), reduction="none").view(hidden.shape[:2])


def advantages(reward: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Whitened advantages and returns, gamma 1."""
    out, after, next_value = torch.empty_like(reward), torch.zeros(len(reward)), torch.zeros(len(reward))
    for t in reversed(range(reward.shape[1])):
        after = reward[:, t] + next_value - value[:, t] + LAMBDA * after
        next_value = value[:, t]
        out[:, t] = after
    return (out - out.mean()) * torch.rsqrt(out.var(unbiased=False) + 1e-8), out + value


def main() -> None:
    parser = turns.arguments(__doc__, prompts=16, prompt=64, new=64, minibatches=4)
    parser.add_argument("--model", default="gpt2-124m", choices=MODELS)
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(1)
    s, length = MODELS[o.model], o.prompt + o.new
    policy, reference, rm, critic = Gpt2(s), Gpt2(s).eval(), Scorer(s).eval(), Scorer(s)
    reference.load_state_dict(policy.state_dict())
    critic.load_state_dict(rm.state_dict())
    opt = torch.optim.AdamW(policy.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    opt_value = torch.optim.AdamW(critic.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    cache = Cache(s, o.prompts, length)
    asked = torch.randint(s.vocab, (o.prompts, o.prompt))

    @torch.no_grad()
    def rollout() -> tuple[Tensor, Tensor]:
        """Prompts with sampled responses, and the log-probabilities of what was sampled."""
        tokens, logps, start = [asked], [], 0
        for _ in range(o.new):
            logp = F.log_softmax(next_logits(policy, cache, tokens[-1], start), -1)
            start += tokens[-1].shape[1]
            tokens.append(torch.multinomial(logp.exp(), 1))
            logps.append(logp.gather(1, tokens[-1]))
        return torch.cat(tokens, 1), torch.cat(logps, 1)

    @torch.no_grad()
    def judged(tokens: Tensor, logp: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Advantages, returns and values of the rollout."""
        reward = -BETA * (logp - response_logp(reference, tokens, o.prompt))
        reward[:, -1] += rm(tokens)[:, -1]
        value = critic(tokens)[:, o.prompt - 1 : -1]
        return *advantages(reward, value), value

    def update(model: torch.nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    def iteration() -> None:
        tokens, logp = rollout()
        advantage, returns, value = judged(tokens, logp)
        for rows in torch.randperm(o.prompts).chunk(o.minibatches):
            a, r, v = advantage[rows], returns[rows], value[rows]
            ratio = torch.exp(response_logp(policy, tokens[rows], o.prompt) - logp[rows])
            update(policy, opt, torch.max(-a * ratio, -a * ratio.clamp(1 - CLIP, 1 + CLIP)).mean())
            now = critic(tokens[rows])[:, o.prompt - 1 : -1]
            bounded = v + (now - v).clamp(-CLIP, CLIP)
            update(critic, opt_value, 0.5 * torch.max((now - r) ** 2, (bounded - r) ** 2).mean())

    iteration()
    turns.serve(iteration, version=torch.__version__)


main()
