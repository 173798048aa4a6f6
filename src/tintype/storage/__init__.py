"""What must survive: tasks, projects, files and money in a database; pictures in an object store."""
