#!/usr/bin/env bash
# Make a venv with LLaMA-Factory 0.9.5 on a CPU build of torch, and a tiny random Llama with its own tokenizer.
# Usage: make_llamafactory_venv.sh [VENV]   (default: $DATAGEN_LF_VENV or ~/.cache/llamafactory-venv). Does nothing that is done already.
set -euo pipefail
VENV="${1:-${DATAGEN_LF_VENV:-$HOME/.cache/llamafactory-venv}}"
if [ ! -x "$VENV/bin/llamafactory-cli" ]; then
  python3 -m venv "$VENV"
  "$VENV/bin/pip" install -q torch==2.13.0
  # --no-deps and the list below leave out torchvision, torchaudio, gradio, modelscope and av: they pull a CUDA torch or serve the web page.
  "$VENV/bin/pip" install -q --no-deps llamafactory==0.9.5 trl==0.24.0 peft==0.18.1 accelerate==1.11.0 torchdata==0.11.0
  "$VENV/bin/pip" install -q transformers==5.6.0 datasets==4.0.0 "tyro<0.9.0" einops fastapi fire hf-transfer "matplotlib>=3.7.0" numpy omegaconf \
    packaging pandas protobuf pydantic pyyaml safetensors scipy sentencepiece sse-starlette tiktoken uvicorn psutil rich
  # LLaMA-Factory imports torchaudio at module level and uses it for audio only: an empty module stands in.
  site="$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')"
  echo "# stands in for torchaudio (text only)" > "$site/torchaudio.py"
fi
# What predict's ROUGE and BLEU need; LLaMA-Factory does not install it.
"$VENV/bin/python" -c "import jieba, nltk, rouge_chinese" 2>/dev/null || "$VENV/bin/pip" install -q jieba nltk rouge-chinese
MODEL="${DATAGEN_LF_MODEL:-$VENV/share/datagen-tiny-llama}"
if [ ! -f "$MODEL/config.json" ]; then
  "$VENV/bin/python" - "$MODEL" <<'PY'
import sys

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

torch.manual_seed(0)
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
text = ["The hotel desk answers booking questions. Check-in is at 15:00. " * 50, "酒店服务台回答预订问题。入住时间是下午三点。" * 50]
special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
alphabet = pre_tokenizers.ByteLevel.alphabet()
tokenizer.train_from_iterator(text, trainers.BpeTrainer(vocab_size=512, special_tokens=special, initial_alphabet=alphabet, show_progress=False))
fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=special[0], eos_token=special[2], pad_token=special[0])
config = LlamaConfig(
    vocab_size=len(fast), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=512, tie_word_embeddings=True, bos_token_id=0, eos_token_id=2, pad_token_id=0,
)
LlamaForCausalLM(config).save_pretrained(sys.argv[1])
fast.save_pretrained(sys.argv[1])
PY
fi
echo "$VENV"
