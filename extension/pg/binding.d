extension/pg/binding.o: extension/pg/binding.c extension/pg/binding.h \
 extension/pg/../core/outcome.h
extension/pg/binding.h:
extension/pg/../core/outcome.h:
