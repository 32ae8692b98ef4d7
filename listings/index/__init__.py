"""The index of pictures (画面索引): every code of every listed work, searched exactly."""
