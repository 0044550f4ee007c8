extension/pg/history.o: extension/pg/history.c extension/pg/home.h \
 extension/pg/binding.h extension/pg/../core/outcome.h \
 extension/pg/../core/series/home_history.h
extension/pg/home.h:
extension/pg/binding.h:
extension/pg/../core/outcome.h:
extension/pg/../core/series/home_history.h:
