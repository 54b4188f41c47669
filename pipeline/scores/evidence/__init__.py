"""Evidence: what went wrong for a customer lately, whether or not they have ever shown activity."""
