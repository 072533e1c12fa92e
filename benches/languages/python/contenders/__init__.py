"""One file a contender, each with the same class.

`open(workload)` makes it ready, `answer(question)` gives the text of a run, `stream(question)` reads it piece by
piece and gives the text and the number of pieces, `remember(session, question)` answers in a conversation that it
keeps, `close()` ends it. OPENAI_BASE_URL and OPENAI_API_KEY say where the model is. Each is written as its own
documentation tells its users to write it; agents and clients are made once.
"""

INSTRUCTIONS = "Answer briefly."
MODEL = "gpt-5-mini"
