"""What Ombud says to people, in their language: mails and pages, and the words they are made of."""
