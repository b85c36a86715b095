"""What a lab is: its manifest, its notebook, its checks, and what a learner did with AI.

The lowest layer: notebooks, profession packs and the grader import it; it knows no database and no Hub.
"""
