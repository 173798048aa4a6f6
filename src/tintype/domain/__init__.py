"""What is true of Tintype without a database, a GPU or HTTP."""
