"""The profession pack of video editors: cutting, captions, and the labs that teach them with AI."""
