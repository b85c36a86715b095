"""Recording a model's own answer to the lab, to be committed and used as the submission `raw_ai`.

    OPENAI_BASE_URL=… OPENAI_API_KEY=… python -m publishing.record LANG MODEL_NAME OUT.json

The rule: a recording is what the model answered to the lab's own messages, word for word, with the settings beside it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from labs.evidence import write_text_safely
from publishing.brief import read_brief
from publishing.drafting import messages, response_format

LAB = Path(__file__).parent / "labs" / "book_proposal"
SETTINGS: dict[str, Any] = {"temperature": 0, "seed": 7, "max_tokens": 700}
#: The notebook's own start of the learner's wish.
WISH = {
    "ko": "위 메모만 보고 출간기획서의 각 항목을 써 주세요. 메모에 없는 내용은 쓰지 마세요.",
    "en": "Write each part of the proposal from the memo above. Leave out what the memo does not say.",
}


def record(lang: str, model: str, out: Path) -> dict[str, Any]:
    """Ask the model behind OPENAI_BASE_URL and write the recording; openai's errors pass through."""
    from openai import OpenAI

    brief = read_brief(LAB / "learner" / f"brief.{lang}.md")
    client: Any = OpenAI()  # its types want its own message classes; plain dictionaries are what a notebook sends
    answer = client.chat.completions.create(
        model="lab-default",
        messages=messages(lang, WISH[lang], brief),
        response_format=response_format(lang),
        **SETTINGS,
    )
    usage = answer.usage.model_dump(include={"prompt_tokens", "completion_tokens"}) if answer.usage else {}
    data = {
        "model": model,
        "settings": SETTINGS,
        "wish": WISH[lang],
        "usage": usage,
        "finish_reason": answer.choices[0].finish_reason,
        "content": answer.choices[0].message.content,
    }
    write_text_safely(out, json.dumps(data, ensure_ascii=False, indent=1) + "\n")
    return data


if __name__ == "__main__":
    print(json.dumps(record(sys.argv[1], sys.argv[2], Path(sys.argv[3])), ensure_ascii=False, indent=1))
